//! Effects of one kind that must not be out together: each waits for the one before it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::effect::Effect;
use crate::ids::EffectId;

/// The effect that is out, and those that wait for it; `T` says what one is for.
#[derive(Debug)]
pub(super) struct InTurn<T> {
    out: Option<(EffectId, T)>,
    waiting: VecDeque<(EffectId, T, Effect)>,
}

impl<T> Default for InTurn<T> {
    fn default() -> Self {
        Self { out: None, waiting: VecDeque::new() }
    }
}

impl<T> InTurn<T> {
    /// Queues an effect; pushes it to `effects` when none is out.
    pub(super) fn push(
        &mut self,
        id: EffectId,
        purpose: T,
        effect: Effect,
        effects: &mut Vec<(EffectId, Effect)>,
    ) {
        self.waiting.push_back((id, purpose, effect));
        if self.out.is_none() {
            self.emit(effects);
        }
    }

    /// The effect `id` is complete: what it was for, and the next one goes out. `None` when another
    /// one, or none, is out.
    pub(super) fn complete(
        &mut self,
        id: EffectId,
        effects: &mut Vec<(EffectId, Effect)>,
    ) -> Option<T> {
        let (_, purpose) = self.out.take_if(|(out, _)| *out == id)?;
        self.emit(effects);
        Some(purpose)
    }

    /// True when none is out.
    pub(super) fn is_empty(&self) -> bool {
        self.out.is_none()
    }

    fn emit(&mut self, effects: &mut Vec<(EffectId, Effect)>) {
        let Some((id, purpose, effect)) = self.waiting.pop_front() else { return };
        self.out = Some((id, purpose));
        effects.push((id, effect));
    }
}
