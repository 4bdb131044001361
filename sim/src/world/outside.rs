//! What happens outside the broker's process: clients, network, and the ends of the process itself.

use std::sync::Arc;

use klamm_core::Exit;
use klamm_core::ids::ConnectionId;
use klamm_runtime::Input;

use super::World;
use super::event::{Event, Inner};
use super::phases::{FAILED_STARTS_MAX, RunPhase};
use super::process::{Phase, Process};
use crate::client::{AfterSending, Client};
use crate::decisions::Purpose;
use crate::disk::{Crash, Faults};
use crate::history::{Entry, Told, TopicPartition};
use crate::ladder::{Contents, Ladder};
use crate::marks::Group;
use crate::network::{Direction, Piece};
use crate::program::Wish;

/// OFFSET_OUT_OF_RANGE: the checker of answers judges it.
const OUT_OF_RANGE: i16 = 1;
/// Of a deletion of records, where only compaction takes any.
const POLICY_VIOLATION: i16 = 44;

/// OUT_OF_ORDER_SEQUENCE_NUMBER.
const OUT_OF_ORDER_SEQUENCE: i16 = 45;

/// UNKNOWN_TOPIC_OR_PARTITION and UNKNOWN_TOPIC_ID, of a topic that comes and goes: the checker
/// judges it.
fn is_absence(target: &TopicPartition, error: i16) -> bool {
    target.passing_id().is_some() && [3, 100].contains(&error)
}

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Start => self.start(),
            Event::ClientConnects(client) => self.client_connects(client),
            Event::ClientSends(client) => self.client_sends(client),
            Event::Arrives(id, direction) => self.arrives(id, direction),
            Event::WallSteps => self.wall_steps(),
            Event::Process(inner) => self.happen_inside(inner),
        }
    }

    /// Somebody sets the clock, forwards or back.
    fn wall_steps(&mut self) {
        let most = self.current.wall_step_ms_max;
        let step_ms = self.decisions.below(Purpose::Wall, 2 * most + 1) as i64 - most as i64;
        self.wall_shift_ms += step_ms;
        self.wall_ms_max = self.wall_ms_max.max(self.wall_ms());
        let name = if step_ms < 0 { "wall clock stepped back" } else { "wall clock stepped on" };
        self.marks.hit(Group::Other, name);
        self.tell(|ladder| ladder.happens(&format!("the {name}: {step_ms} ms")));
    }

    fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.tell(Ladder::starts);
        let mut seed = [0; 32];
        for word in seed.as_chunks_mut::<8>().0 {
            *word = self.decisions.below(Purpose::Broker, u64::MAX).to_le_bytes();
        }
        self.offline.clear();
        let (now, wall_ms) = (self.queue.now_micros(), self.wall_ms());
        self.process = Some(Process::start(
            self.config.clone(),
            seed,
            Arc::clone(&self.compression),
            now,
            wall_ms,
        ));
        self.turn(None);
    }

    /// The process is gone before its time.
    pub(super) fn crash(&mut self, crash: Crash) {
        self.crashes += 1;
        self.mark_crash(crash);
        let open: Vec<_> = self.disk.open_effects().collect();
        self.tell(|ladder| ladder.crashes(crash, &open));
        self.end_process(crash);
        self.record(Entry::Crashed(crash));
    }

    /// The process has ended by itself.
    pub(super) fn exit(&mut self) {
        let Some(process) = &self.process else { return };
        let Phase::Ended(exit) = process.phase.clone() else { return };
        let disk_failed = process.disk_failed;
        let was_ready = process.was_ready;
        let closing = matches!(self.phase, RunPhase::Closing { .. });
        let left_over = process.left_over().filter(|_| closing);
        // What a stop in good order leaves is durable in every mode.
        self.end_process(if closing { Crash::PowerLoss } else { Crash::Killed });
        match exit {
            // Stopped in its start, it has brought nothing into order.
            Exit::Clean if disk_failed || !was_ready => {}
            Exit::Clean => {
                if let Some(left) = left_over {
                    self.fail(format!("the broker has stopped in good order and leaves {left}"));
                }
                self.marks.hit(Group::Other, "stopped in good order");
                self.record(Entry::Stopped);
                self.check_disk();
                self.check_directories();
                self.check_groups();
                if closing {
                    self.check_programs();
                    self.phase = RunPhase::Over;
                } else if std::mem::take(&mut self.rot_wanted) {
                    self.rot();
                }
            }
            Exit::Failed(_) if disk_failed => {
                self.marks.hit(Group::Other, "stopped by a failed disk");
                self.failed_starts += u32::from(!was_ready);
                if self.failed_starts > FAILED_STARTS_MAX {
                    self.disk.set_faults(Faults::default());
                }
            }
            Exit::Failed(reason) => {
                self.fail(format!("the broker stopped though no disk had failed: {reason}"));
            }
        }
    }

    /// What is in the process is lost; what has left it still arrives.
    fn end_process(&mut self, crash: Crash) {
        // A start that was moved may be known to nobody yet, and its segments go in the next start.
        self.forget_looks();
        self.allow_retention();
        self.replacements.clear();
        self.process = None;
        self.queue.retain(|event| !matches!(event, Event::Process(_)));
        let connections: Vec<ConnectionId> = self.network.connections().collect();
        for id in connections {
            while let Some(Piece::Bytes(bytes)) = self.network.arrive(id, Direction::Down) {
                self.client_receives(id, &bytes);
            }
            self.disconnect_client(id);
        }
        let before = self.ladder.as_ref().map(|_| Contents::of(&self.disk));
        self.disk.crash(crash, &mut self.decisions);
        if let (Some(ladder), Some(before)) = (&mut self.ladder, before) {
            ladder.leaves_files(&before, &self.disk);
        }
        let pause = self.decisions.below(Purpose::Delay, 100_000);
        self.queue.push(pause, Event::Start);
    }

    /// A person, or a system, asks the broker to stop.
    pub(super) fn ask_to_stop(&mut self) {
        let Some(process) = &mut self.process else { return };
        if matches!(process.phase, Phase::Starting | Phase::Ready) {
            process.phase = Phase::Stopping;
            self.tell(|ladder| ladder.begins("  broker is asked to stop"));
            let delay = self.process_delay();
            let event = Inner::Turn(Box::new(Input::Shutdown));
            self.queue.push(delay, Event::Process(event));
        }
    }

    fn client_connects(&mut self, client: usize) {
        if self.clients[client].connection().is_some() || self.clients[client].is_done() {
            return;
        }
        if !self.is_ready() {
            let pause = self.decisions.between(Purpose::Client, 1_000, 50_000);
            self.queue.push(pause, Event::ClientConnects(client));
            return;
        }
        let id = self.network.open(client);
        self.clients[client].connected(id);
        self.tell(|ladder| ladder.connects(id, client));
        self.accept(id);
        let delay = self.decisions.below(Purpose::Client, 1_000);
        self.queue.push(delay, Event::ClientSends(client));
    }

    fn client_sends(&mut self, client: usize) {
        let Some(id) = self.clients[client].connection() else {
            self.queue.push(0, Event::ClientConnects(client));
            return;
        };
        let sent = self.with_client(client, Client::send);
        let Some((frame, after)) = sent else { return self.heed(client, id) };
        self.requests += 1;
        self.tell(|ladder| ladder.sends(id, &frame));
        let (now, conditions) = (self.queue.now_micros(), self.conditions());
        let way = (id, Direction::Up);
        let mut due = self.network.send(way, frame, now, &conditions, &mut self.decisions);
        if after == AfterSending::HalfClose {
            self.marks.hit(Group::Other, "half-closed");
            self.tell(|ladder| ladder.happens(&format!("client {client} will send no more")));
            due.extend(self.network.end(way, now, &conditions, &mut self.decisions));
        }
        for at in due {
            self.queue.push_at(at, Event::Arrives(id, Direction::Up));
        }
        let delay = self.decisions.below(Purpose::Client, 2_000);
        self.queue.push(delay, Event::ClientSends(client));
    }

    /// A client that has nothing to send may want to be asked later, or to hang up.
    fn heed(&mut self, client: usize, id: ConnectionId) {
        match self.clients[client].take_wish(self.queue.now_micros()) {
            Some(Wish::Later(micros)) => {
                self.queue.push(micros, Event::ClientSends(client));
            }
            Some(Wish::Disconnect) => self.disconnect_client(id),
            None => {}
        }
    }

    fn arrives(&mut self, id: ConnectionId, direction: Direction) {
        let Some(piece) = self.network.arrive(id, direction) else { return };
        match (direction, piece) {
            (_, Piece::Reset) => {
                self.marks.hit(Group::Other, "connection reset");
                self.tell(|ladder| ladder.happens("the network resets a connection"));
                self.disconnect_client(id);
                self.close_seat(id);
            }
            (Direction::Up, piece) => {
                let seat = self.process.as_mut().and_then(|process| process.seats.get_mut(&id));
                let Some(seat) = seat.filter(|seat| !seat.closed) else { return };
                match piece {
                    Piece::Bytes(bytes) => seat.socket.extend_from_slice(&bytes),
                    _ => seat.socket_ended = true,
                }
                self.wake(id);
            }
            (Direction::Down, Piece::Bytes(bytes)) => self.client_receives(id, &bytes),
            (Direction::Down, _) => self.disconnect_client(id),
        }
    }

    fn client_receives(&mut self, id: ConnectionId, bytes: &[u8]) {
        let Some(client) = self.network.client_of(id) else { return };
        if self.clients[client].connection() != Some(id) {
            return;
        }
        self.digest.add(bytes);
        self.tell(|ladder| ladder.receives(id, bytes));
        let seen = self.history.entries().len();
        let result = self.with_client(client, |client, around| client.receive(bytes, around));
        if let Err(bad) = result {
            self.fail(format!("answer: {bad}"));
        }
        self.check_health(seen);
        let delay = self.decisions.below(Purpose::Client, 1_000);
        self.queue.push(delay, Event::ClientSends(client));
    }

    /// Of the answers from `seen` on, those to requests that were sent when faults had ended are
    /// good.
    fn check_health(&mut self, seen: usize) {
        let Some((first_append, first_question)) = self.first_healthy else { return };
        // What a power loss has taken in this mode leaves a gap in an idempotent producer's numbers.
        let forgets = self.current.page_cache == 1;
        let refused = self.history.entries()[seen..].iter().find_map(|(_, entry)| match entry {
            Entry::Error { append, error } if *append >= first_append => {
                let is_excused = forgets && *error == OUT_OF_ORDER_SEQUENCE;
                let target = self.history.target(*append).filter(|_| !is_excused)?;
                (!is_absence(target, *error)).then(|| (target.clone(), *error))
            }
            Entry::Told { question, told: Told::Error(error) } if *question >= first_question => {
                let target =
                    self.history.questioned(*question).filter(|_| *error != OUT_OF_RANGE)?;
                let may_delete = !self.is_compacted(target) || self.current.compact_and_delete == 1;
                if *error == POLICY_VIOLATION && !may_delete {
                    return None;
                }
                (!is_absence(target, *error)).then(|| (target.clone(), *error))
            }
            _ => None,
        });
        let Some((target, error)) = refused else { return };
        if !self.is_rotten(&target.directory()) {
            self.fail(format!("liveness: {target} answers error {error} though nothing fails"));
        }
    }

    /// All clients leave, for good.
    pub(super) fn disconnect_all(&mut self) {
        let connections: Vec<ConnectionId> = self.network.connections().collect();
        for id in connections {
            self.disconnect_client(id);
            self.close_seat(id);
        }
    }

    /// The connection is gone, as its client sees it.
    fn disconnect_client(&mut self, id: ConnectionId) {
        self.tell(|ladder| ladder.disconnects(id));
        let client = self.network.client_of(id);
        self.network.close(id);
        let Some(client) = client.filter(|&client| self.clients[client].connection() == Some(id))
        else {
            return;
        };
        self.with_client(client, Client::disconnected);
        let pause = self.decisions.between(Purpose::Client, 100, 20_000);
        self.queue.push(pause, Event::ClientConnects(client));
        // The broker finds out when it reads or writes next.
        if let Some(seat) = self.process.as_mut().and_then(|process| process.seats.get_mut(&id)) {
            seat.socket_ended = true;
            self.wake(id);
        }
    }
}
