//! A deadline that moves on with almost every step.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_io::Timer;
use klamm_core::time::{Instant, Now};
use klamm_runtime::wait_until;

/// Wakes a task at its deadline, or earlier.
///
/// A timer in place is left there when the deadline moves away from it: looking once more at its
/// old time costs less than a new timer for each request.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<(Instant, Timer)>,
}

impl Alarm {
    /// From here on it rings at `deadline` at the latest.
    pub(crate) fn set(&mut self, deadline: Option<Instant>, now: Now) {
        let Some(deadline) = deadline else { return };
        if self.timer.as_ref().is_none_or(|(at, _)| *at > deadline) {
            self.timer = Some((deadline, Timer::after(wait_until(deadline, now))));
        }
    }

    /// Ready when it has rung.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some((_, timer)) = &mut self.timer else { return Poll::Pending };
        let rung = Pin::new(timer).poll(context).map(|_| ());
        if rung.is_ready() {
            self.timer = None;
        }
        rung
    }
}
