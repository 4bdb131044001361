//! A session between a wire in memory and a machine that says what the test wants.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, Ordering};

use klamm_core::Output;
use klamm_core::api::ApiKey;
use klamm_core::api::produce::ProduceRequest;
use klamm_core::broker::image::Image;
use klamm_core::config::Limits;
use klamm_core::effect::{
    FileRange, FileRef, IoError, IoErrorKind, Operation, OperationResult, Path,
};
use klamm_core::frame::{RequestHeader, write_request};
use klamm_core::ids::{FileId, JobId, RequestNumber};
use klamm_core::request::{Response, ResponseBody};
use shuttle::check_random;

use super::*;
use crate::clock::Clock;
use crate::compression::Codecs;
use crate::disk::Disk;
use crate::node::{Observer, Parts};
use crate::sync::Mutex;
use crate::testing::Bell;
use crate::transport::Follow;

/// What the machine heard, in short.
type Heard = Arc<Mutex<Vec<String>>>;

/// Refuses each request but the first, which it answers when its time is out.
struct Toy {
    image: Arc<Image>,
    outputs: VecDeque<Output>,
    first: Option<(ConnectionId, RequestNumber)>,
    heard: Heard,
}

impl Machine for Toy {
    fn handle(&mut self, input: Input, _: Now) {
        let line = match input {
            Input::Request(from, request) => {
                if request.number == RequestNumber(0) {
                    self.first = Some((from, request.number));
                } else {
                    self.outputs.push_back(Output::Close(from));
                }
                format!("request {}", request.number.0)
            }
            Input::Timeout => {
                let (to, number) = self.first.take().expect("a request");
                let body = ResponseBody::Produce(Vec::new());
                self.outputs.push_back(Output::Response(to, Response { number, body }));
                "timeout".to_owned()
            }
            Input::RangeFailed(range, error) => format!("{range:?} failed: {error}"),
            Input::Disconnect(_, error) => format!("disconnect {error:?}"),
            _ => return,
        };
        self.heard.lock().expect("no panic").push(line);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn image(&self) -> &Arc<Image> {
        &self.image
    }
}

struct Nobody;
impl Observer for Nobody {}

/// Stands still unless it is moved.
#[derive(Default)]
struct ToyClock(AtomicU64);

impl Clock for ToyClock {
    fn now(&self) -> Now {
        Now { mono: Instant::from_micros(self.0.load(Ordering::SeqCst)), wall_ms: 0 }
    }
}

/// One file, which is empty.
struct EmptyFile;

impl Disk for EmptyFile {
    fn perform(&self, _: &Operation) -> Result<OperationResult, IoError> {
        Ok(OperationResult::Done)
    }

    fn open(&self, file: &FileRef) -> Result<Arc<File>, IoError> {
        match File::open("/dev/null") {
            Ok(null) => Ok(Arc::new(null)),
            Err(error) => Err(IoError::new(&file.path, IoErrorKind::Other, &error.to_string())),
        }
    }
}

#[derive(Default)]
struct Wire {
    incoming: VecDeque<u8>,
    sent: Vec<u8>,
    takes_none: bool,
    finished: bool,
}

impl Transport for Wire {
    fn receive(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let count = self.incoming.len().min(into.capacity() - into.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        into.extend(self.incoming.drain(..count));
        Ok(count)
    }

    fn send(&mut self, pieces: &[IoSlice<'_>], _: Follow) -> io::Result<usize> {
        if self.takes_none {
            return Err(ErrorKind::WouldBlock.into());
        }
        let before = self.sent.len();
        for piece in pieces {
            self.sent.extend_from_slice(piece);
        }
        Ok(self.sent.len() - before)
    }

    fn send_file(&mut self, _: &File, _: u64, _: usize) -> io::Result<usize> {
        // The file ends before the range.
        Ok(0)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.finished = true;
        Ok(())
    }
}

struct Setup {
    session: Session<Toy>,
    clock: Arc<ToyClock>,
    heard: Heard,
}

fn setup() -> Setup {
    let heard = Heard::default();
    let clock = Arc::new(ToyClock::default());
    let machine = Toy {
        image: Arc::default(),
        outputs: VecDeque::new(),
        first: None,
        heard: Arc::clone(&heard),
    };
    let parts = Parts {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        disk: Arc::new(EmptyFile),
        observer: Arc::new(Nobody),
        recorder: None,
        compression: Arc::new(Codecs::default()),
        limits: Limits { connection_idle_ms: Some(5), ..Limits::default() },
    };
    let peer = Peer { listener: "".into(), address: String::new() };
    let session = Session::open(Node::new(machine, parts), peer, Bell::new().waker());
    Setup { session, clock, heard }
}

const READABLE: Readiness = Readiness { readable: true, writable: false, gone: false };

fn produce(correlation_id: i32) -> Vec<u8> {
    let (api_key, client_id) = (ApiKey::PRODUCE, None);
    let header = RequestHeader { api_key, api_version: 9, correlation_id, client_id };
    let mut output = BytesMut::new();
    write_request(&mut output, &header, &ProduceRequest { acks: 1, ..ProduceRequest::default() });
    output.to_vec()
}

fn once(body: impl Fn() + Send + Sync + 'static) {
    check_random(body, 1);
}

#[test]
fn a_word_to_close_waits_for_the_answers_before_it() {
    once(|| {
        let Setup { mut session, heard, .. } = setup();
        let mut wire = Wire::default();
        wire.incoming.extend((0..3).flat_map(produce));
        let next = session.step(&mut wire, READABLE);
        assert!(matches!(next, Next::Wait(_)), "{next:?}: the first is to be answered");
        assert!(wire.sent.is_empty() && !wire.finished);

        session.node().run(&mut vec![Input::Timeout], Place::Worker);
        let next = session.step(&mut wire, Readiness::default());
        assert_eq!(wire.sent[4..8], 0_i32.to_be_bytes());
        assert!(wire.finished, "{next:?}: nothing more comes");
        let heard = heard.lock().expect("no panic").clone();
        assert_eq!(heard, ["request 0", "request 1", "request 2", "timeout"]);
    });
}

#[test]
fn a_range_that_cannot_be_sent_is_told_and_ends_the_connection() {
    once(|| {
        let Setup { mut session, heard, .. } = setup();
        let file =
            FileRef { id: FileId { owner: JobId::BROKER, number: 3 }, path: Path::new("/d/file") };
        for sendfile_bytes_min in [0, u64::MAX] {
            let range = FileRange { file: file.clone(), position: 7, length: 9 };
            let chunk = klamm_core::Chunk::File(range);
            let pushed = session.outgoing.push(chunk, &EmptyFile, sendfile_bytes_min);
            assert_eq!(pushed.is_err(), sendfile_bytes_min > 0, "a short one is read at once");
        }
        assert_eq!(session.step(&mut Wire::default(), Readiness::default()), Next::End);
        drop(session);
        let heard = heard.lock().expect("no panic").clone();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[0].contains("/d/file") && heard[0].contains("ends before byte 16"));
        assert_eq!(heard[1], "disconnect None");
    });
}

#[test]
fn an_idle_peer_that_takes_nothing_is_let_go() {
    once(|| {
        let Setup { mut session, clock, heard } = setup();
        let mut wire = Wire { takes_none: true, ..Wire::default() };
        wire.incoming.extend(produce(0));
        session.step(&mut wire, READABLE);
        clock.0.fetch_add(9_000, Ordering::SeqCst);
        let next = session.step(&mut wire, Readiness::default());
        assert!(matches!(next, Next::Wait(_)), "{next:?}: it waits for its answer");
        session.node().run(&mut vec![Input::Timeout], Place::Worker);
        let Next::Wait(interest) = session.step(&mut wire, Readiness::default()) else {
            panic!("the answer is to be sent");
        };
        assert!(interest.write);
        assert_eq!(interest.deadline, Some(Instant::from_micros(14_000)));
        clock.0.fetch_add(5_000, Ordering::SeqCst);
        assert_eq!(session.step(&mut wire, Readiness::default()), Next::End);
        drop(session);
        let last = heard.lock().expect("no panic").last().cloned().expect("something");
        assert_eq!(last, "disconnect Some(Idle { wait_ms: 5 })");
    });
}
