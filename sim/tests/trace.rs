//! The drivers under power loss: each serves a real client over a real socket on a real directory,
//! is watched, and what it did is played on the simulated disk.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use klamm_core::broker::image::Image;
use klamm_core::config::Config;
use klamm_core::effect::{Completion, Effect, Path};
use klamm_core::ids::{ConnectionId, EffectId, RequestNumber};
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, Exit, Output};
use klamm_runtime::{Handle, Input, Machine, StartError};
use klamm_sim::checker::Checker;
use klamm_sim::client::{Client, Surroundings};
use klamm_sim::decisions::Decisions;
use klamm_sim::disk::Disk;
use klamm_sim::history::{AppendId, Entry, History};
use klamm_sim::options::Options;
use klamm_sim::reader::{StoredLog, read_logs};
use klamm_sim::setup::Installation;
use klamm_sim::trace::{PlayError, Tracer, play};

#[test]
fn answers_of_the_driver_of_threads_survive_a_power_loss_at_their_instant() {
    let played = serve_and_play(klamm_std::Server::start);
    assert_eq!(played.expect("the driver keeps its promises"), REQUESTS);
}

#[test]
fn answers_of_the_driver_of_tasks_survive_a_power_loss_at_their_instant() {
    let played = serve_and_play(klamm_smol::Server::start);
    assert_eq!(played.expect("the driver keeps its promises"), REQUESTS);
}

#[test]
fn an_answer_before_its_sync_is_caught() {
    let played = serve_and_play(|config, options| {
        klamm_std::Server::start_machine(config, options, |config, seed, compression, now| Hasty {
            broker: Broker::new(config, seed, compression, now),
            told: VecDeque::new(),
            now,
        })
    });
    assert!(matches!(played, Err(PlayError::Lost { .. })), "{played:?}");
}

const REQUESTS: u64 = 60;

/// A broker that is told of a sync's success before it happens.
struct Hasty {
    broker: Broker,
    told: VecDeque<EffectId>,
    now: Now,
}

impl Machine for Hasty {
    fn handle(&mut self, input: Input, now: Now) {
        self.now = now;
        self.broker.handle(input, now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.broker.poll_output() {
                if let Output::Effect(id, Effect::Sync(_)) = &output {
                    self.told.push_back(*id);
                }
                return Some(output);
            }
            let id = self.told.pop_front()?;
            self.broker.handle_completion(id, Completion::Done(Vec::new()), self.now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.broker.poll_timeout()
    }

    fn image(&self) -> &Arc<Image> {
        self.broker.image()
    }
}

fn serve_and_play(
    start: impl FnOnce(Config, klamm_runtime::Options) -> Result<Handle, StartError>,
) -> Result<u64, PlayError> {
    let options = Options {
        requests: REQUESTS,
        pipeline: 5,
        partitions: 3,
        request_partitions_max: 2,
        log_dirs: 2,
        segment_bytes: 1 << 14,
        ..Options::calm()
    };
    let root = TempDir::new();
    let installation = Installation::below(&root.path(), &options);
    let mut disk = Disk::new();
    for (path, content) in &installation.files {
        let real = PathBuf::from(path.as_str());
        fs::create_dir_all(real.parent().expect("a file is in a directory")).expect("it is ours");
        fs::write(&real, content).expect("it is ours");
        disk.put(path, content);
    }
    disk.set_log_directories(installation.log_dirs.clone());

    let tracer = Arc::new(Tracer::default());
    let driver = klamm_runtime::Options { recorder: Some(tracer.clone()), ..Default::default() };
    let mut config = installation.config(&options);
    for listener in config.listeners.iter_mut().chain(&mut config.advertised) {
        "127.0.0.1".clone_into(&mut listener.host);
        listener.port = 0;
    }
    let server = start(config, driver).expect("the port is free");
    let (history, appends) = produce(server.addresses()[0].1, &options, &installation);
    server.shutdown();
    assert_eq!(server.wait(), Exit::Clean);
    judge(&tracer, disk, &history, &appends, &installation.log_dirs)
}

/// Produces over one connection. Gives the history, and the appends of each request.
fn produce(
    address: std::net::SocketAddr,
    options: &Options,
    installation: &Installation,
) -> (History, Vec<Vec<AppendId>>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut client = Client::new(0, options.requests);
    client.connected(ConnectionId(0));
    let (mut history, mut decisions) = (History::default(), Decisions::from_seed(7));
    let (mut requests, mut topics) = (Vec::new(), installation.topics.clone());
    let mut buffer = [0; 4096];
    while !client.is_done() {
        let known = history.entries().len();
        let mut around = Surroundings {
            options,
            topics: &mut topics,
            decisions: &mut decisions,
            history: &mut history,
            now_micros: 0,
            wall_ms: 1_700_000_000_000,
            excused: &[],
            is_quiet: false,
        };
        if let Some((frame, _)) = client.send(&mut around) {
            stream.write_all(&frame).expect("it reads");
            let invoked = history.entries()[known..].iter().filter_map(|(_, entry)| match entry {
                Entry::Invoke { append, .. } => Some(*append),
                _ => None,
            });
            requests.push(invoked.collect());
            continue;
        }
        let length = stream.read(&mut buffer).expect("it answers");
        assert!(length > 0, "it stays");
        client.receive(&buffer[..length], &mut around).expect("its answers are in order");
    }
    (history, requests)
}

/// Plays the trace; each answer's records, and all before, must be there after the power loss.
fn judge(
    tracer: &Tracer,
    disk: Disk,
    history: &History,
    requests: &[Vec<AppendId>],
    log_dirs: &[Path],
) -> Result<u64, PlayError> {
    let mut checker = Checker::new(false);
    let mut answers: BTreeMap<AppendId, &Entry> = BTreeMap::new();
    for (_, entry) in history.entries() {
        match entry {
            Entry::Ok { append, .. } => {
                answers.insert(*append, entry);
            }
            Entry::Invoke { .. } => checker.observe(0, entry),
            other => panic!("nothing fails here: {other:?}"),
        }
    }
    play(&tracer.steps(), disk, 11, |_, RequestNumber(number), dark| {
        for append in &requests[number as usize] {
            checker.observe(0, answers[append]);
        }
        let mut logs = read_logs(dark, log_dirs)?;
        logs.values_mut().for_each(cut_at_gap);
        checker.check(&logs, |_| false);
        match checker.take_broken().first() {
            Some(broken) => Err(broken.to_string()),
            None => Ok(()),
        }
    })
}

/// Cuts a log as a start would that finds the end of a segment missing: what lies behind was not
/// answered, or it is missed.
fn cut_at_gap(log: &mut StoredLog) {
    let Some((end, _)) = log.gaps.first().copied() else { return };
    log.gaps.clear();
    log.records.retain(|record| record.offset < end);
}

/// A directory that goes with the test.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("klamm-trace-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        Self(path)
    }

    fn path(&self) -> Path {
        Path::new(self.0.to_str().expect("a path in UTF-8"))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What is left of it goes with the system's own cleaning.
        let _left = fs::remove_dir_all(&self.0);
    }
}
