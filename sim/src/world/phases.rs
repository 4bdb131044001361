//! How a run comes to its end: with faults, without them, once more after a crash, and in good order.

use super::World;
use klamm_core::Kept;

use super::event::Event;
use crate::client::Client;
use crate::decisions::Purpose;
use crate::disk::{Crash, Faults};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunPhase {
    /// Faults are on.
    Safety,
    /// Faults are off: everything must come to its end, by this time.
    Liveness {
        deadline_micros: u64,
    },
    /// What was answered then has met one more crash: the broker must start again.
    Restarting {
        deadline_micros: u64,
    },
    /// It is still there, and clients give back what the broker keeps for them.
    Tidying {
        deadline_micros: u64,
    },
    /// They are gone, and the broker hears of it.
    Leaving {
        deadline_micros: u64,
    },
    /// The broker was asked to stop for the last time.
    Closing {
        deadline_micros: u64,
    },
    Over,
}

/// Time for the second phase: more than several of the longest waits that the broker grants, one after another.
const LIVENESS_MICROS_MAX: u64 = 400_000_000;

/// And its events: where nothing takes time, time alone would never end it. A slow disk under clients that
/// ask every few microseconds takes some hundred thousand.
const LIVENESS_EVENTS_MAX: u64 = 5_000_000;

/// Requests of each client in the second phase, which must all succeed.
const LIVENESS_REQUESTS: u64 = 2;

/// Ids under which the broker may know one file when it is at rest: that of its log, and one of a job
/// that is under way.
const IDS_OF_ONE_FILE_MAX: usize = 2;

/// Requests of each client behind the last crash.
const TIDYING_REQUESTS: u64 = 1;

/// Starts that may fail one after another under faults before these are taken away.
pub(super) const FAILED_STARTS_MAX: u32 = 5;

impl World {
    pub(super) fn advance_phase(&mut self) -> Result<(), String> {
        let all_done = || self.clients.iter().all(Client::is_done);
        match self.phase {
            RunPhase::Safety => {
                let strikes_done = self.strikes_done == self.current.strikes.len();
                let is_up = self.is_ready() || self.failed_starts > FAILED_STARTS_MAX;
                let tired = self.queue.taken() >= self.current.events_max;
                if tired || (is_up && (strikes_done || self.is_idle()) && all_done()) {
                    self.heal();
                }
            }
            RunPhase::Liveness { deadline_micros } => {
                self.check_deadline(deadline_micros, "requests are unanswered")?;
                if self.is_ready() && all_done() && self.unsettled_group().is_none() {
                    self.phase = RunPhase::Restarting { deadline_micros };
                    let crash = self.last_crash();
                    self.crash(crash);
                }
            }
            RunPhase::Restarting { deadline_micros } => {
                self.check_deadline(deadline_micros, "the broker is not ready")?;
                if self.is_ready() {
                    self.phase = RunPhase::Tidying { deadline_micros };
                    self.tidy_up();
                }
            }
            RunPhase::Tidying { deadline_micros } => {
                self.check_deadline(deadline_micros, "requests after the last crash are open")?;
                if self.is_ready() && all_done() {
                    self.phase = RunPhase::Leaving { deadline_micros };
                    self.disconnect_all();
                }
            }
            RunPhase::Leaving { deadline_micros } => {
                self.check_deadline(deadline_micros, "connections are open")?;
                if self.is_ready() && self.is_deserted() {
                    self.check_baseline();
                    self.phase = RunPhase::Closing { deadline_micros };
                    self.ask_to_stop();
                }
            }
            RunPhase::Closing { deadline_micros } => {
                self.check_deadline(deadline_micros, "the broker has not stopped")?;
            }
            RunPhase::Over => {}
        }
        Ok(())
    }

    fn check_deadline(&self, deadline_micros: u64, what: &str) -> Result<(), String> {
        let events = self.queue.taken() - self.safety_events;
        if self.queue.now_micros() <= deadline_micros && events <= LIVENESS_EVENTS_MAX {
            return Ok(());
        }
        let unanswered: usize = self.clients.iter().map(Client::unanswered).sum();
        let open = self.clients.iter().find(|client| !client.is_done());
        if let (None, RunPhase::Liveness { .. }, Some(what)) =
            (open, self.phase, self.unsettled_group())
        {
            return Err(format!("liveness: {what}, long after the last fault"));
        }
        let phase = self.process.as_ref().map(|process| &process.phase);
        let effects = self.disk.open_effects().count();
        Err(format!(
            "liveness: {what} long after the last fault: {unanswered} of clients; the broker is \
             {phase:?}, with {effects} effects out; {open:?}"
        ))
    }

    /// Faults end. Whatever is broken in the broker's memory is healed by a start, as a person
    /// would.
    fn heal(&mut self) {
        let deadline_micros = self.queue.now_micros() + LIVENESS_MICROS_MAX;
        self.phase = RunPhase::Liveness { deadline_micros };
        self.safety_events = self.queue.taken();
        self.tell(|ladder| {
            ladder.happens("faults end: from here on all must be answered, and go well");
        });
        self.first_healthy = Some((self.history.next_append(), self.history.next_question()));
        self.disk.set_faults(Faults::default());
        self.current.reset_per_mille = 0;
        self.current.half_close_per_mille = 0;
        self.current.unknown_topic_per_mille = 0;
        self.current.acks_none_per_mille = 0;
        self.current.session_slots = 0;
        self.current.death_per_mille = 0;
        self.current.hostile_per_mille = 0;
        for number in 0..self.clients.len() {
            let from_start = self.decisions.below(Purpose::Reader, 2) == 0;
            self.clients[number].set_requests(LIVENESS_REQUESTS);
            self.clients[number].catch_up(from_start);
            if self.current.page_cache == 1 {
                self.clients[number].renew();
            }
            self.queue.push(0, Event::ClientSends(number));
        }
        let has_failed = self.disk.has_untold_failure();
        if self.process.as_ref().is_some_and(|process| process.disk_failed || has_failed) {
            let crash = self.last_crash();
            self.crash(crash);
        }
    }

    /// Nobody is connected: the broker keeps nothing for clients, nor do its driver and the disk.
    fn check_baseline(&mut self) {
        let Some(process) = &self.process else { return };
        let (kept, held) = (process.broker.kept(), process.budget.held());
        let pinned = self.disk.pinned_files();
        if kept != Kept::default() {
            self.fail(format!("nobody is connected, and the broker still keeps {kept:?}"));
        } else if held + pinned > 0 {
            self.fail(format!(
                "nobody is connected, and {held} bytes of the request budget are held, {pinned} \
                 files pinned"
            ));
        }
        let most = self.disk.ids_of_one_file();
        if most > IDS_OF_ONE_FILE_MAX {
            self.fail(format!("nobody is connected, and one file is open under {most} ids"));
        }
    }

    fn is_deserted(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.seats.is_empty())
    }

    fn tidy_up(&mut self) {
        self.current.nonsense_per_mille = 0;
        for number in 0..self.clients.len() {
            let client = &mut self.clients[number];
            client.set_requests(TIDYING_REQUESTS);
            client.renew();
            client.tidy_up();
            self.queue.push(0, Event::ClientSends(number));
        }
    }

    fn last_crash(&mut self) -> Crash {
        match self.decisions.below(Purpose::Crash, 4) {
            0 => Crash::Killed,
            _ => Crash::PowerLoss,
        }
    }

    /// Clients have no more to say: strikes that are far away would wait for nothing.
    fn is_idle(&self) -> bool {
        let next = self.current.strikes.get(self.strikes_done);
        next.is_none_or(|strike| strike.at_event > self.queue.taken() + 200)
    }
}
