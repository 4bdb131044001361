//! Events of one kind, a few a second: a flood of bad clients must not fill the log.

use alloc::vec::Vec;

use crate::event::Event;
use crate::time::{Instant, Millis};

const WINDOW: Millis = Millis(1_000);

/// Lets so many events through in each second, and tells how many it kept back.
#[derive(Debug)]
pub(super) struct FloodGate {
    per_window_max: u32,
    window_ends: Instant,
    admitted: u32,
    suppressed: u64,
}

impl FloodGate {
    pub(super) fn new(per_window_max: u32) -> Self {
        Self { per_window_max, window_ends: Instant::ZERO, admitted: 0, suppressed: 0 }
    }

    /// The events to give out for this one.
    pub(super) fn admit(&mut self, event: Event, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        if now >= self.window_ends {
            events.extend(self.close_window());
            self.window_ends = now + WINDOW;
        }
        if self.admitted < self.per_window_max {
            self.admitted += 1;
            events.push(event);
        } else {
            self.suppressed += 1;
        }
        events
    }

    /// When the events that were kept back are to be told.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.suppressed > 0).then_some(self.window_ends)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        if now >= self.window_ends { self.close_window() } else { None }
    }

    fn close_window(&mut self) -> Option<Event> {
        self.admitted = 0;
        let count = core::mem::take(&mut self.suppressed);
        (count > 0).then_some(Event::Suppressed { count })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::FloodGate;
    use crate::event::Event;
    use crate::ids::ConnectionId;
    use crate::time::Instant;

    fn event(connection: u64) -> Event {
        let connection = ConnectionId(connection);
        Event::PeerMisbehaved { connection, reason: String::new() }
    }

    #[test]
    fn a_flood_is_told_by_a_few_events_and_a_count() {
        let mut gate = FloodGate::new(2);
        let start = Instant::from_micros(5);
        let told: usize = (0..10).map(|id| gate.admit(event(id), start).len()).sum();
        assert_eq!(told, 2);
        let due = gate.deadline().expect("eight are kept back");
        assert_eq!(gate.handle_timeout(start), None);
        assert_eq!(gate.handle_timeout(due), Some(Event::Suppressed { count: 8 }));
        assert_eq!(gate.deadline(), None);
        assert_eq!(gate.admit(event(11), due).len(), 1);
    }
}
