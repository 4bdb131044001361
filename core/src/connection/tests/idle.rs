//! When nothing moves.

use super::*;

const IDLE_MS: u64 = 600_000;

impl Rig {
    fn wait(&mut self, ms: u64) {
        self.now.mono = self.now.mono + Millis(ms);
    }

    fn time_out(&mut self) -> Result<(), ConnectionError> {
        self.connection.handle_timeout(self.now)
    }

    /// When the connection ends if nothing happens, from now on.
    pub(super) fn idle_left_ms(&self) -> Option<u64> {
        Some(self.connection.poll_timeout()?.micros_since(self.now.mono) / 1_000)
    }
}

#[test]
fn a_connection_on_which_nothing_moves_ends() {
    let mut rig = Rig::new();
    rig.go_round();
    rig.wait(IDLE_MS - 1);
    assert_eq!((rig.time_out(), rig.idle_left_ms()), (Ok(()), Some(1)));
    rig.wait(1);
    assert_eq!(rig.time_out(), Err(ConnectionError::Idle { wait_ms: IDLE_MS }));
    assert_eq!((rig.time_out(), rig.idle_left_ms()), (Ok(()), None), "told once");
    rig.assert_finished();
}

#[test]
fn what_is_received_answered_or_sent_begins_the_wait_anew() {
    let mut rig = Rig::new();
    rig.go_round();
    rig.wait(1_000);
    let [request] = rig.receive(&api_versions(1)).try_into().unwrap();
    assert_eq!(rig.idle_left_ms(), None, "the broker is waited for");
    rig.wait(2 * IDLE_MS);
    assert_eq!(rig.time_out(), Ok(()));
    rig.answer(&request);
    assert_eq!(rig.idle_left_ms(), Some(IDLE_MS));
    rig.wait(1_000);
    rig.connection.poll_transmit().unwrap();
    rig.go_round();
    assert_eq!(rig.idle_left_ms(), Some(IDLE_MS - 1_000), "nothing has left yet");
    rig.connection.handle_transmitted(0);
    assert_eq!(rig.time_out(), Ok(()));
    assert_eq!(rig.idle_left_ms(), Some(IDLE_MS), "a part has");
    rig.wait(1_000);
    rig.receive(&api_versions(2)[..2]);
    rig.connection.handle_transmitted(1);
    rig.wait(1_000);
    rig.receive(&api_versions(2)[2..]);
    assert_eq!(rig.idle_left_ms(), None);
}

#[test]
fn a_peer_that_does_not_read_loses_its_answers_and_its_connection() {
    let limits = Limits { unsent_bytes_max: 1, ..Limits::default() };
    let mut rig = Rig::with(limits);
    let [request] = rig.receive(&[api_versions(1), api_versions(2)].concat()).try_into().unwrap();
    assert!(rig.answer(&request).is_empty(), "no more before the first answer has left");
    assert!(rig.connection.poll_transmit().is_some());
    rig.wait(IDLE_MS);
    assert_eq!(rig.time_out(), Err(ConnectionError::Idle { wait_ms: IDLE_MS }));
    rig.connection.handle_transmitted(1);
    rig.charged -= rig.connection.poll_discharge();
    rig.assert_finished();
}

#[test]
fn who_waits_for_the_budget_is_not_idle() {
    let mut rig = Rig::new();
    rig.input.extend_from_slice(&api_versions(1));
    rig.connection.handle_bytes(&mut rig.input, rig.now).unwrap();
    assert!(rig.connection.wants_charge() > 0);
    rig.wait(IDLE_MS);
    assert_eq!((rig.time_out(), rig.idle_left_ms()), (Ok(()), None));
    assert_eq!(rig.go_round().len(), 1);
}

#[test]
fn idle_connections_may_stay_for_ever() {
    let mut rig = Rig::with(Limits { connection_idle_ms: None, ..Limits::default() });
    rig.go_round();
    assert_eq!(rig.connection.poll_timeout(), None);
    rig.wait(u64::from(u32::MAX));
    assert_eq!(rig.time_out(), Ok(()));
}
