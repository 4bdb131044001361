//! What ends a task's wait from outside.

use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use klamm_runtime::Wake;

/// Wakes one task; a ring that comes before the wait ends the wait at once.
#[derive(Clone, Debug)]
pub(crate) struct Bell(Arc<Mutex<State>>);

#[derive(Debug)]
enum State {
    Silent,
    Awaited(Waker),
    Rung,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Silent)))
    }

    /// Ready once for all rings so far; else the next one wakes the task.
    pub(crate) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().expect("no thread panics while it holds a bell");
        if matches!(*state, State::Rung) {
            *state = State::Silent;
            return Poll::Ready(());
        }
        *state = State::Awaited(context.waker().clone());
        Poll::Pending
    }

    fn ring(&self) -> State {
        let mut state = self.0.lock().expect("no thread panics while it holds a bell");
        mem::replace(&mut *state, State::Rung)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        // Outside the lock: waking may run code of any executor.
        if let State::Awaited(waker) = self.ring() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_before_the_wait_ends_it_once() {
        let bell = Bell::new();
        let mut context = Context::from_waker(Waker::noop());
        assert!(bell.poll(&mut context).is_pending());
        bell.wake();
        bell.wake();
        assert!(bell.poll(&mut context).is_ready());
        assert!(bell.poll(&mut context).is_pending());
    }
}
