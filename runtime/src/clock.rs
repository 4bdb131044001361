//! Where a node reads the time.

use std::time::{Duration, Instant as SystemInstant, SystemTime, UNIX_EPOCH};

use klamm_core::time::{Instant, Now};

/// Both clocks. The monotonic one never goes back.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Now;
}

/// The system's clocks; the monotonic one counts from here.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: SystemInstant,
}

impl SystemClock {
    /// Starts to count.
    pub fn start() -> Self {
        Self { start: SystemInstant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall_ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_millis() as i64,
            Err(before) => -(before.duration().as_millis() as i64),
        };
        Now { mono: Instant::from_micros(self.start.elapsed().as_micros() as u64), wall_ms }
    }
}

/// The wait from `now` until `deadline`; zero when it has come.
pub fn wait_until(deadline: Instant, now: Now) -> Duration {
    Duration::from_micros(deadline.micros_since(now.mono))
}
