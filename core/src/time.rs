//! Time as an argument: the core never reads a clock.

use core::ops::Add;

/// A point on the driver's monotonic clock, in microseconds since the driver's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The driver's start.
    pub const ZERO: Self = Self(0);

    /// The point `micros` microseconds after the driver's start.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the driver's start.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Microseconds from `earlier` to here; zero when `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span of time in milliseconds, the unit of Kafka's own settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Add<Millis> for Instant {
    type Output = Self;

    fn add(self, wait: Millis) -> Self {
        Self(self.0.saturating_add(wait.0.saturating_mul(1000)))
    }
}

/// Both clocks, read together by the driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: deadlines and waits.
    pub mono: Instant,
    /// The wall clock, in milliseconds since the Unix epoch: what records are stamped with. It may step.
    pub wall_ms: i64,
}
