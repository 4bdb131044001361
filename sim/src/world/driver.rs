//! What happens inside the broker's process: the driver's part.

use bytes::{BufMut, Bytes, BytesMut};
use klamm_core::effect::{
    Completion, Effect, FileRange, IoError, IoErrorKind, Operation, OperationResult, Space,
};
use klamm_core::event::Event as CoreEvent;
use klamm_core::ids::{ConnectionId, EffectId, FileId, JobId};
use klamm_core::request::Response;
use klamm_core::{Chunk, Connection, Job, Output, Peer};
use klamm_runtime::Input;

use super::World;
use super::event::{Event, Inner};
use super::process::Phase;
use super::seat::Seat;
use crate::decisions::Purpose;
use crate::disk::{Progress, ServedLevel};
use crate::groups_log::OFFSETS_TOPIC;
use crate::history::Entry;
use crate::layer::Carry;
use crate::marks::Group;
use crate::network::Direction;

impl World {
    pub(super) fn happen_inside(&mut self, inner: Inner) {
        match inner {
            Inner::Serve(id) => self.serve(id),
            Inner::TurnOf(id) => self.turn_of(id),
            Inner::Turn(input) => self.turn(Some(*input)),
            Inner::Timer => {
                if let Some(process) = &mut self.process {
                    process.timer = None;
                }
                // What retention may take is decided here, whatever is appended before it goes.
                self.allow_retention();
                self.turn(Some(Input::Timeout));
            }
            Inner::ConnectionTimer(id) => self.connection_timer(id),
            Inner::OperationStarts(id) => {
                self.disk.start(id);
                self.push_disk(Inner::OperationHolds(id));
            }
            Inner::OperationHolds(id) => {
                let wall_ms = self.wall_ms();
                match self.disk.take_hold(id, wall_ms, &mut self.decisions) {
                    Progress::More => self.push_disk(Inner::OperationStarts(id)),
                    Progress::Finished => self.push(Inner::Completes(id)),
                }
            }
            Inner::Completes(id) => self.completes(id),
            Inner::Told(id, completion) => self.told(id, *completion),
            Inner::JobStep(id) => self.job_step(id),
            Inner::Mail(id, response) => {
                if let Some(seat) = self.seat(id) {
                    seat.mail.push_back(*response);
                    self.wake(id);
                }
            }
            Inner::CloseMail(id) => {
                if let Some(seat) = self.seat(id) {
                    seat.closing = true;
                    self.wake(id);
                }
            }
            Inner::Leaves(id) => self.leaves(id),
            Inner::Exit => self.exit(),
        }
    }

    fn push(&mut self, inner: Inner) {
        let delay = self.process_delay();
        self.queue.push(delay, Event::Process(inner));
    }

    fn push_disk(&mut self, inner: Inner) {
        let delay = self.disk_delay();
        self.queue.push(delay, Event::Process(inner));
    }

    fn seat(&mut self, id: ConnectionId) -> Option<&mut Seat> {
        self.process.as_mut()?.seats.get_mut(&id).filter(|seat| !seat.closed)
    }

    /// A client has connected.
    pub(super) fn accept(&mut self, id: ConnectionId) {
        let limits = self.config.limits.clone();
        let compression = std::sync::Arc::clone(&self.compression);
        let Some(process) = &mut self.process else { return };
        let mut seat = Seat::new(Connection::new(id, limits, compression));
        let listener = self.config.listeners[0].name.as_str().into();
        let peer = Peer { listener, address: format!("client:{}", id.0) };
        seat.inbox.push_back(Input::Connect(id, peer));
        process.seats.insert(id, seat);
        self.push(Inner::TurnOf(id));
    }

    /// A connection's loop is to go round.
    pub(super) fn wake(&mut self, id: ConnectionId) {
        if let Some(seat) = self.seat(id)
            && !seat.awake
        {
            seat.awake = true;
            self.push(Inner::Serve(id));
        }
    }

    fn serve(&mut self, id: ConnectionId) {
        let (now_micros, wall_ms) = (self.queue.now_micros(), self.wall_ms());
        let Some(process) = &mut self.process else { return };
        let now = process.now(now_micros, wall_ms);
        let Some(seat) = process.seats.get_mut(&id).filter(|seat| !seat.closed) else { return };
        seat.awake = false;
        let round = seat.round(
            &process.image,
            now,
            &mut process.budget,
            &mut *self.layer,
            &mut self.decisions,
        );
        let next_charged = process.budget.next();
        let (deadline, timer) = (seat.connection.poll_timeout(), seat.timer.take());
        let deadline = deadline.map(|at| process.micros_of(at));
        if let Some(ticket) = timer {
            self.queue.cancel(ticket);
        }
        if let Some(at) = deadline {
            let ticket = self.queue.push_at(at, Event::Process(Inner::ConnectionTimer(id)));
            if let Some(seat) = self.seat(id) {
                seat.timer = Some(ticket);
            }
        }
        for _ in 0..round.turns {
            self.push(Inner::TurnOf(id));
        }
        if round.leaves {
            self.push(Inner::Leaves(id));
        }
        if round.waits_for_budget {
            self.marks.hit(Group::Other, "request budget spent");
        }
        if round.discharged
            && let Some(next) = next_charged
        {
            self.wake(next);
        }
        if round.finished {
            self.close_seat(id);
        } else if round.again {
            self.wake(id);
        }
    }

    fn connection_timer(&mut self, id: ConnectionId) {
        let (now_micros, wall_ms) = (self.queue.now_micros(), self.wall_ms());
        let Some(process) = &mut self.process else { return };
        let now = process.now(now_micros, wall_ms);
        if let Some(seat) = process.seats.get_mut(&id).filter(|seat| !seat.closed) {
            seat.timer = None;
            seat.timeout(now);
            self.wake(id);
        }
    }

    /// The socket is closed, and the broker is told last.
    pub(super) fn close_seat(&mut self, id: ConnectionId) {
        let Some(process) = &mut self.process else { return };
        let Some(seat) = process.seats.get_mut(&id).filter(|seat| !seat.closed) else { return };
        seat.close(&mut process.budget, &mut *self.layer);
        for file in std::mem::take(&mut seat.pinned) {
            self.disk.unpin(file);
        }
        let (timer, next_charged) = (seat.timer.take(), process.budget.next());
        if let Some(ticket) = timer {
            self.queue.cancel(ticket);
        }
        self.push(Inner::TurnOf(id));
        if let Some(next) = next_charged {
            self.wake(next);
        }
        let (now, conditions) = (self.queue.now_micros(), self.conditions());
        let way = (id, Direction::Down);
        if let Some(at) = self.network.end(way, now, &conditions, &mut self.decisions) {
            self.queue.push_at(at, Event::Arrives(id, Direction::Down));
        }
    }

    /// A turn with the next input of a connection.
    fn turn_of(&mut self, id: ConnectionId) {
        let Some(process) = &mut self.process else { return };
        let Some(seat) = process.seats.get_mut(&id) else { return };
        let input = seat.inbox.pop_front().expect("each turn of a connection has its input");
        if matches!(input, Input::Disconnect(..)) {
            process.seats.remove(&id);
            if !self.layer.end(id) {
                return;
            }
        }
        let mut input = input;
        if let Input::Request(_, request) = &mut input
            && let Some(response) = self.layer.request(id, request)
        {
            self.post(id, response);
        }
        self.turn(Some(input));
    }

    /// One lock hold: a mutation, then everything that it gave is dispatched.
    pub(super) fn turn(&mut self, input: Option<Input>) {
        let (now_micros, wall_ms) = (self.queue.now_micros(), self.wall_ms());
        let Some(process) = &mut self.process else { return };
        if matches!(process.phase, Phase::Ended(_)) {
            return;
        }
        self.marks.turn(&process.phase);
        if let Some(Input::JobDone(job, result)) = &input {
            self.disk.job_ends(*job);
            if let Some(ladder) = &mut self.ladder {
                ladder.job_ends(*job, result);
            }
        }
        let now = process.now(now_micros, wall_ms);
        let outputs = process.turn(input, now);
        for output in outputs {
            self.dispatch(output);
        }
        self.look_at_image();
        self.set_timer();
    }

    fn set_timer(&mut self) {
        let late = self.process_delay();
        let Some(process) = &mut self.process else { return };
        let deadline = process.broker.poll_timeout();
        if process.timer.map(|(at, _)| at) == deadline {
            return;
        }
        if let Some((_, ticket)) = process.timer.take() {
            self.queue.cancel(ticket);
        }
        if let Some(deadline) = deadline
            && !matches!(process.phase, Phase::Ended(_))
        {
            let at = process.micros_of(deadline);
            let at = at.saturating_add(late).max(self.queue.now_micros());
            let ticket = self.queue.push_at(at, Event::Process(Inner::Timer));
            process.timer = Some((deadline, ticket));
        }
    }

    fn dispatch(&mut self, output: Output) {
        match output {
            Output::Effect(id, effect) => self.submit(id, effect),
            Output::Job(id, job) => {
                if let Some(process) = &mut self.process {
                    process.jobs.insert(id, Box::new(job));
                }
                self.push(Inner::JobStep(id));
            }
            Output::Response(to, response) => {
                for (to, response) in self.layer.response(to, response) {
                    self.post(to, response);
                }
            }
            Output::Close(id) => {
                let due = self.seat(id).map_or(0, |seat| seat.mail_due_micros);
                self.queue.push_at(due, Event::Process(Inner::CloseMail(id)));
            }
            Output::Event(event) => self.hear(&event),
            Output::Ready => self.ready(),
            Output::Stopped(exit) => self.stopped(exit),
        }
    }

    /// A response goes to its mailbox.
    fn post(&mut self, to: ConnectionId, response: Response) {
        let at = self.queue.now_micros() + self.process_delay();
        let files: Vec<FileId> = response.body.files().collect();
        if let Some(seat) = self.seat(to) {
            seat.pinned.extend(&files);
            seat.mail_due_micros = seat.mail_due_micros.max(at);
            self.queue.push_at(at, Event::Process(Inner::Mail(to, Box::new(response))));
            for file in files {
                self.disk.pin(file);
            }
        }
    }

    fn hear(&mut self, event: &CoreEvent) {
        self.marks.event(event);
        self.tell(|ladder| ladder.happens(&format!("  broker: {event}")));
        match event {
            CoreEvent::PartitionOffline { partition, reason } => {
                self.offline.insert(partition.clone(), reason.clone());
                let disk_failed = self.process.as_ref().is_some_and(|process| process.disk_failed);
                if !disk_failed && !self.is_rotten(partition) {
                    self.fail(format!(
                        "{partition} is offline though no disk has failed: {reason}"
                    ));
                }
            }
            CoreEvent::ShardFailed { partition, reason, .. } => {
                let (name, reason) = (format!("{OFFSETS_TOPIC}-{partition}"), reason.clone());
                let disk_failed = self.process.as_ref().is_some_and(|process| process.disk_failed);
                if !disk_failed {
                    self.fail(format!("{name} is not loaded though no disk has failed: {reason}"));
                }
            }
            CoreEvent::DirectoryOffline { .. } => {
                if let Some(process) = &mut self.process {
                    process.disk_failed = true;
                }
            }
            _ => {}
        }
    }

    fn ready(&mut self) {
        if let Some(process) = &mut self.process {
            process.was_ready = true;
            if process.phase == Phase::Starting {
                process.phase = Phase::Ready;
            }
        }
        self.failed_starts = 0;
        self.tell(|ladder| ladder.goes_well("  broker is ready"));
        self.disk.set_live();
        self.record(Entry::Recovered);
        self.look_at_image();
        self.check_disk();
        self.check_rot();
    }

    fn stopped(&mut self, exit: klamm_core::Exit) {
        self.tell(|ladder| match &exit {
            klamm_core::Exit::Clean => ladder.goes_well("  broker has stopped"),
            klamm_core::Exit::Failed(reason) => {
                ladder.goes_badly(&format!("  broker gives up: {reason}"));
            }
        });
        if let Some(process) = &mut self.process {
            let in_order =
                exit == klamm_core::Exit::Clean && process.was_ready && !process.disk_failed;
            let left_over = self.disk.open_effects().filter(|id| id.owner == JobId::BROKER).count();
            self.marks.ended(&exit, &process.phase);
            process.phase = Phase::Ended(exit);
            if in_order && left_over > 0 {
                self.fail(format!("the broker stopped with {left_over} effects of its own out"));
            }
        }
        // What is unsent may still leave, for a while.
        let grace = self.decisions.between(Purpose::Delay, 1_000, 1_000_000);
        self.queue.push(grace, Event::Process(Inner::Exit));
    }

    /// An effect goes to the disk.
    fn submit(&mut self, id: EffectId, mut effect: Effect) {
        let carry = self.layer.effect(id, &mut effect);
        let lie = match carry {
            Carry::Honestly => "",
            Carry::Late(_) => " (LIE: told as done now, carried out later)",
            Carry::Never => " (LIE: told as done, never carried out)",
        };
        self.tell(|ladder| ladder.emits(id, &effect, lie));
        if carry != Carry::Honestly {
            self.push(Inner::Told(id, Box::new(success(&effect))));
        }
        if carry == Carry::Never {
            return;
        }
        self.check_deletion(id, &effect);
        if writes_new_segment(&effect) {
            self.marks.hit(Group::Other, "segment rolled");
        }
        self.disk.submit(id, effect.clone(), &mut self.decisions);
        if let Some(process) = &mut self.process {
            process.effects.insert(id, (effect, carry == Carry::Honestly));
        }
        match carry {
            Carry::Late(micros) => {
                self.queue.push(micros, Event::Process(Inner::OperationStarts(id)));
            }
            _ => self.push_disk(Inner::OperationStarts(id)),
        }
    }

    fn completes(&mut self, id: EffectId) {
        let mut completion = self.disk.complete(id);
        let Some(process) = &mut self.process else { return };
        let Some((effect, is_awaited)) = process.effects.remove(&id) else { return };
        if let Completion::Failed { error, .. } = &completion {
            process.disk_failed |= error.kind != IoErrorKind::NotFound;
        }
        self.marks.completed(&effect, &completion);
        if !is_awaited {
            return;
        }
        self.layer.completion(id, &effect, &mut completion);
        self.told(id, completion);
    }

    /// A completion is handed in: in a turn, or to the job that waits for it.
    fn told(&mut self, id: EffectId, completion: Completion) {
        self.tell(|ladder| ladder.completes(id, &completion));
        if id.owner == JobId::BROKER {
            self.end_replacement(id);
            self.turn(Some(Input::Completion(id, completion)));
            return;
        }
        let Some(process) = &mut self.process else { return };
        if let Some(job) = process.jobs.get_mut(&id.owner) {
            job.handle_completion(id, completion);
            self.push(Inner::JobStep(id.owner));
        }
    }

    fn job_step(&mut self, id: JobId) {
        let Some(job) = self.process.as_mut().and_then(|process| process.jobs.get_mut(&id)) else {
            return;
        };
        let effects: Vec<_> = std::iter::from_fn(|| Job::poll_effect(job)).collect();
        let done = job.poll_done();
        for (effect_id, effect) in effects {
            self.submit(effect_id, effect);
        }
        if let Some(result) = done {
            if let Some(process) = &mut self.process {
                process.jobs.remove(&id);
            }
            self.push(Inner::Turn(Box::new(Input::JobDone(id, result))));
        }
    }

    /// Some of what the connection had to send leaves the process; a range is read as it leaves.
    fn leaves(&mut self, id: ConnectionId) {
        let Some(seat) = self.seat(id) else { return };
        let mut bytes = BytesMut::new();
        while let Some(chunk) = seat.leaving.pop_front() {
            match chunk {
                Chunk::Bytes(piece) => bytes.put(piece),
                Chunk::File(range) => {
                    match self.leaves_of(id, range) {
                        Some(piece) => bytes.put(piece),
                        None => return self.close_seat(id),
                    }
                    break;
                }
            }
        }
        if let Some(seat) = self.seat(id) {
            if seat.leaving.is_empty() {
                seat.connection.handle_transmitted(seat.leaving_chunks);
                self.wake(id);
            } else {
                self.push(Inner::Leaves(id));
            }
        }
        let (now, conditions) = (self.queue.now_micros(), self.conditions());
        let way = (id, Direction::Down);
        let due = self.network.send(way, bytes.freeze(), now, &conditions, &mut self.decisions);
        for at in due {
            self.queue.push_at(at, Event::Arrives(id, Direction::Down));
        }
    }

    /// The next piece of a range: as much as the socket happens to take. `None` when it cannot be
    /// read.
    fn leaves_of(&mut self, id: ConnectionId, range: FileRange) -> Option<Bytes> {
        let level = match self.current.page_cache {
            0 => ServedLevel::Synced,
            _ => ServedLevel::Written,
        };
        let length = match self.decisions.below(Purpose::Network, 2) {
            0 => range.length,
            _ => self.decisions.between(Purpose::Network, 1, range.length),
        };
        let piece = FileRange { length, ..range.clone() };
        let fails = self.disk.range_fails(&range, &mut self.decisions);
        let read = self.disk.serve(&piece, level).filter(|_| !fails);
        if read.is_none() {
            if fails {
                self.process.as_mut()?.disk_failed = true;
                self.marks.hit(Group::Other, "range not read");
            } else {
                self.fail(format!("{range:?} is not there in full"));
            }
            let message = "input/output error (simulated)";
            let error = IoError::new(&range.file.path, IoErrorKind::Other, message);
            self.push(Inner::Turn(Box::new(Input::RangeFailed(range, error))));
            return None;
        }
        let seat = self.seat(id)?;
        if length < range.length {
            let (position, length) = (range.position + length, range.length - length);
            seat.leaving.push_front(Chunk::File(FileRange { position, length, ..range }));
        } else if let Some(at) = seat.pinned.iter().position(|file| *file == range.file.id) {
            seat.pinned.remove(at);
            self.disk.unpin(range.file.id);
        }
        self.marks.hit(Group::Other, "range sent");
        read
    }
}

/// True for the first write of a segment that is not its log's first.
fn writes_new_segment(effect: &Effect) -> bool {
    let Effect::Operations(operations) = effect else { return false };
    operations.iter().any(|operation| match operation {
        Operation::Write { file, position: 0, .. } => {
            file.path.name().strip_suffix(".log").is_some_and(|base| base.contains(|c| c != '0'))
        }
        _ => false,
    })
}

/// The completion of an effect that went well.
fn success(effect: &Effect) -> Completion {
    let of_operation = |operation: &Operation| match operation {
        Operation::Open(_) => OperationResult::Opened(0),
        Operation::Read { .. } => OperationResult::Read(bytes::Bytes::new()),
        Operation::List(_) => OperationResult::Listed(Vec::new()),
        Operation::Space(_) => {
            OperationResult::Space(Space { total_bytes: 1_000, usable_bytes: 1_000 })
        }
        _ => OperationResult::Done,
    };
    match effect {
        Effect::Sync(_) => Completion::Done(Vec::new()),
        Effect::Operations(operations) => {
            Completion::Done(operations.iter().map(of_operation).collect())
        }
    }
}
