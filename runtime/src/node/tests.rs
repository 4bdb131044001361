//! The node under many schedules: turn, mailboxes, workers, timer.
//!
//! A thread that waits for what never comes is a deadlock, which shuttle reports: a lost wake-up
//! fails a test without a timeout.

use std::collections::VecDeque;
use std::fs::File;

use klamm_core::Peer;
use klamm_core::effect::{
    Completion, FileRef, IoError, IoErrorKind, Operation, OperationResult, Path, SyncSet,
};
use klamm_core::error_code::ErrorCode;
use klamm_core::ids::{EffectId, FileId, JobId, Numbering, RequestNumber};
use klamm_core::request::{Query, Request, RequestBody, Response, ResponseBody};
use shuttle::check_random;

use super::*;
use crate::compression::Codecs;
use crate::sync::{Condvar, thread};
use crate::testing::Bell;
use crate::workers::Threads;

const SCHEDULES: usize = 200;
const FILES: usize = 3;

/// Answers a request once it is written and then synced, all that is written by one sync. Each
/// input makes a new image.
struct Toy {
    outputs: VecDeque<Output>,
    image: Arc<Image>,
    deadline: Option<Instant>,
    numbering: Numbering,
    writing: HashMap<EffectId, (ConnectionId, RequestNumber)>,
    written: Vec<(ConnectionId, RequestNumber)>,
    syncing: Option<(EffectId, Vec<(ConnectionId, RequestNumber)>)>,
    disk: Arc<ToyDisk>,
    sync_sets: usize,
    seen: Now,
}

impl Toy {
    fn new(disk: &Arc<ToyDisk>) -> Self {
        Self {
            outputs: VecDeque::new(),
            image: Arc::default(),
            deadline: None,
            numbering: Numbering::new(JobId::BROKER),
            writing: HashMap::new(),
            written: Vec::new(),
            syncing: None,
            disk: Arc::clone(disk),
            sync_sets: 0,
            seen: Now::default(),
        }
    }

    fn effect(&mut self, effect: Effect) -> EffectId {
        let id = self.numbering.effect();
        self.outputs.push_back(Output::Effect(id, effect));
        id
    }

    fn sync_if_due(&mut self) {
        if self.syncing.is_some() || self.written.is_empty() {
            return;
        }
        let covered = std::mem::take(&mut self.written);
        let files = (0..FILES).map(|n| file(n as u64)).collect();
        let set = SyncSet { directory: Path::new("d"), files, directories: Vec::new() };
        self.syncing = Some((self.effect(Effect::Sync(set)), covered));
    }

    fn complete(&mut self, id: EffectId, completion: Completion) {
        if let Some(request) = self.writing.remove(&id) {
            self.written.push(request);
            return self.sync_if_due();
        }
        let (expected, covered) = self.syncing.take().expect("a sync is under way");
        assert_eq!(id, expected, "one completion for each effect");
        match completion {
            Completion::Done(_) => self.sync_sets += 1,
            Completion::Failed { error, .. } => {
                let reason = Exit::Failed(error.to_string());
                return self.outputs.push_back(Output::Stopped(reason));
            }
        }
        assert!(self.disk.synced() >= FILES * self.sync_sets, "complete when all files are synced");
        for (to, number) in covered {
            let body = ResponseBody::Produce(Vec::new());
            self.outputs.push_back(Output::Response(to, Response { number, body }));
        }
        self.sync_if_due();
    }
}

impl Machine for Toy {
    fn handle(&mut self, input: Input, now: Now) {
        assert!(self.outputs.is_empty(), "drained before the next input");
        assert!(now.mono >= self.seen.mono, "the machine's time never goes back");
        self.seen = now;
        let mut image = (*self.image).clone();
        image.metadata_offset += 1;
        self.image = Arc::new(image);
        match input {
            Input::Request(from, request) => {
                let data = Vec::new();
                let write = Operation::Write { file: file(0), position: 0, data };
                let id = self.effect(Effect::Operations(vec![write]));
                self.writing.insert(id, (from, request.number));
            }
            Input::Completion(id, completion) => self.complete(id, completion),
            Input::Timeout => {
                self.deadline = None;
                self.outputs.push_back(Output::Ready);
            }
            // Stands for any input that sets the deadline: to the length of the address.
            Input::Connect(_, peer) => {
                self.deadline = Some(Instant::from_micros(peer.address.len() as u64));
            }
            Input::Shutdown => self.outputs.push_back(Output::Stopped(Exit::Clean)),
            Input::Disconnect(..) | Input::JobDone(..) | Input::RangeFailed(..) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    fn image(&self) -> &Arc<Image> {
        &self.image
    }
}

#[derive(Default)]
struct ToyDisk {
    synced: Mutex<usize>,
    broken: bool,
}

impl ToyDisk {
    fn synced(&self) -> usize {
        *self.synced.lock().unwrap()
    }
}

impl Disk for ToyDisk {
    fn perform(&self, operation: &Operation) -> Result<OperationResult, IoError> {
        if let Operation::Sync(file) = operation {
            *self.synced.lock().unwrap() += 1;
            if self.broken && file.id.number == 1 {
                return Err(IoError::new(&file.path, IoErrorKind::Other, "broken"));
            }
        }
        Ok(OperationResult::Done)
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        Err(IoError::new(&file.path, IoErrorKind::NotFound, "there are no files here"))
    }
}

/// Each reading is one microsecond after the one before.
#[derive(Default)]
struct ToyClock(AtomicU64);

impl Clock for ToyClock {
    fn now(&self) -> Now {
        let micros = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Now { mono: Instant::from_micros(micros), wall_ms: 0 }
    }
}

/// Keeps what was said, and lets a thread wait for it.
#[derive(Default)]
struct ToyObserver {
    heard: Mutex<(usize, Option<Exit>)>,
    changed: Condvar,
}

impl ToyObserver {
    fn wait_ready(&self, times: usize) {
        let heard = self.heard.lock().unwrap();
        drop(self.changed.wait_while(heard, |heard| heard.0 < times).unwrap());
    }

    fn wait_stopped(&self) -> Exit {
        let heard = self.heard.lock().unwrap();
        let heard = self.changed.wait_while(heard, |heard| heard.1.is_none()).unwrap();
        heard.1.clone().unwrap()
    }
}

impl Observer for ToyObserver {
    fn ready(&self, _: &Image) {
        assert_machine_unlocked();
        self.heard.lock().unwrap().0 += 1;
        self.changed.notify_all();
    }

    fn stopped(&self, exit: Exit) {
        self.heard.lock().unwrap().1.get_or_insert(exit);
        self.changed.notify_all();
    }
}

struct Setup {
    node: Arc<Node<Toy>>,
    observer: Arc<ToyObserver>,
    threads: Threads,
}

fn setup(disk: ToyDisk) -> Setup {
    let disk = Arc::new(disk);
    let observer = Arc::new(ToyObserver::default());
    let limits = Limits { jobs_max: 0, effect_workers: 1, sync_workers: 2, ..Limits::default() };
    let parts = Parts {
        clock: Arc::new(ToyClock::default()),
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        observer: Arc::clone(&observer) as Arc<dyn Observer>,
        recorder: None,
        compression: Arc::new(Codecs::default()),
        limits,
    };
    let node = Node::new(Toy::new(&disk), parts);
    let threads = Threads::start(&node).unwrap();
    Setup { node, observer, threads }
}

impl Setup {
    fn end(self) {
        self.node.stop_threads();
        self.threads.join().unwrap();
    }
}

fn file(number: u64) -> FileRef {
    FileRef { id: FileId { owner: JobId::BROKER, number }, path: Path::new("d/f") }
}

fn request(number: u64) -> Request {
    let body = RequestBody::Query(Query::ApiVersions(ErrorCode::NONE));
    Request { number: RequestNumber(number), transmitted: 0, body }
}

fn deadline(micros: usize) -> Input {
    let peer = Peer { listener: "".into(), address: "x".repeat(micros) };
    Input::Connect(ConnectionId(0), peer)
}

/// A connection's thread: asks, carries out its writes, waits for its answers.
fn ask(node: &Node<Toy>, requests: u64) {
    let bell = Bell::new();
    let (id, mailbox) = (node.next_connection_id(), Arc::new(Mailbox::new(bell.waker())));
    let _share = node.register(id, &mailbox);
    let mut inputs: Vec<_> = (0..requests).map(|n| Input::Request(id, request(n))).collect();
    let mut answered = Vec::new();
    loop {
        node.run(&mut inputs, Place::Connection(id, &mailbox));
        for mail in mailbox.take() {
            match mail {
                Mail::Response(response) => answered.push(response.number.0),
                other => panic!("unexpected {other:?}"),
            }
        }
        if answered.len() as u64 == requests {
            break;
        }
        bell.wait();
    }
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..requests), "each request is answered once");
    node.unregister(id);
}

#[test]
fn every_request_is_answered_once_and_no_wake_up_is_lost() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            let others: Vec<_> = (1..3)
                .map(|requests| {
                    let node = Arc::clone(&setup.node);
                    thread::spawn(move || ask(&node, requests))
                })
                .collect();
            ask(&setup.node, 2);
            for thread in others {
                thread.join().unwrap();
            }
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn work_of_a_connection_that_is_gone_is_carried_out_all_the_same() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            let gone = {
                let node = Arc::clone(&setup.node);
                thread::spawn(move || {
                    let mailbox = Arc::new(Mailbox::new(Bell::new().waker()));
                    let id = node.next_connection_id();
                    let share = node.register(id, &mailbox);
                    let mut inputs = vec![Input::Request(id, request(0))];
                    node.run(&mut inputs, Place::Connection(id, &mailbox));
                    drop(share);
                    node.unregister(id);
                    node.run(&mut vec![Input::Disconnect(id, None)], Place::Elsewhere);
                })
            };
            ask(&setup.node, 1);
            gone.join().unwrap();
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn a_published_state_is_never_older_than_the_one_before() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    let node = Arc::clone(&setup.node);
                    thread::spawn(move || {
                        let mut last = -1;
                        for _ in 0..3 {
                            node.run(&mut vec![deadline(1_000_000)], Place::Elsewhere);
                            let seen = node.image().metadata_offset;
                            assert!(seen > last, "own turns are seen");
                            last = seen;
                        }
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(setup.node.image().metadata_offset, 5, "the last of six, from -1 on");
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn a_deadline_that_comes_earlier_wakes_the_timer() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            // Far away: nothing but an earlier one ends this wait, since no time passes here.
            setup.node.run(&mut vec![deadline(1_000_000)], Place::Elsewhere);
            setup.node.run(&mut vec![deadline(1)], Place::Elsewhere);
            setup.observer.wait_ready(1);
            setup.node.run(&mut vec![deadline(2)], Place::Elsewhere);
            setup.observer.wait_ready(2);
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn a_sync_set_fails_once_when_one_of_its_files_fails() {
    check_random(
        || {
            let setup = setup(ToyDisk { broken: true, ..ToyDisk::default() });
            let mut inputs = vec![Input::Request(ConnectionId(9), request(0))];
            setup.node.run(&mut inputs, Place::Worker);
            assert_eq!(setup.observer.wait_stopped(), Exit::Failed("d/f: broken".into()));
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn nothing_reaches_a_machine_that_has_stopped() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            let racing = {
                let node = Arc::clone(&setup.node);
                thread::spawn(move || {
                    let mut inputs = vec![Input::Request(ConnectionId(9), request(0))];
                    node.run(&mut inputs, Place::Elsewhere);
                    assert!(inputs.is_empty());
                })
            };
            setup.node.run(&mut vec![Input::Shutdown], Place::Elsewhere);
            racing.join().unwrap();
            assert_eq!(setup.observer.wait_stopped(), Exit::Clean);
            let offset = setup.node.image().metadata_offset;
            setup.node.run(&mut vec![Input::Shutdown], Place::Elsewhere);
            assert_eq!(setup.node.image().metadata_offset, offset);
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
fn a_connection_hears_of_the_stop_whenever_it_registers() {
    check_random(
        || {
            let setup = setup(ToyDisk::default());
            let connection = {
                let node = Arc::clone(&setup.node);
                thread::spawn(move || {
                    let bell = Bell::new();
                    let mailbox = Arc::new(Mailbox::new(bell.waker()));
                    let _share = node.register(node.next_connection_id(), &mailbox);
                    while !mailbox.take().iter().any(|mail| matches!(mail, Mail::Stop)) {
                        bell.wait();
                    }
                })
            };
            setup.node.stop_connections();
            connection.join().unwrap();
            setup.end();
        },
        SCHEDULES,
    );
}

#[test]
#[should_panic(expected = "carried out under the machine's lock")]
fn carrying_out_under_the_lock_is_found() {
    check_random(
        || {
            let _mark = MachineLockMark::set();
            assert_machine_unlocked();
        },
        1,
    );
}
