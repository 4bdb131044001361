//! The drivers under power loss: each serves clients over real sockets on a real directory, is
//! watched, and what it did is played on the simulated disk.

use std::collections::VecDeque;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Instant as Moment;

use klamm_core::broker::image::Image;
use klamm_core::config::Config;
use klamm_core::effect::{Completion, Effect, Path};
use klamm_core::ids::EffectId;
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, Exit, Output};
use klamm_runtime::{Handle, Input, Machine, StartError};
use klamm_sim::client::Client;
use klamm_sim::crowd::{Crowd, Ending, Judge, Member};
use klamm_sim::disk::Disk;
use klamm_sim::history::Entry;
use klamm_sim::options::Options;
use klamm_sim::setup::Installation;
use klamm_sim::trace::{PlayError, Playback, Played, Tracer, put_directory};

#[test]
fn answers_of_the_driver_of_threads_survive_a_power_loss_at_their_instant() {
    check_played(serve_and_play(clients(), klamm_std::Server::start));
}

#[test]
fn answers_of_the_driver_of_tasks_survive_a_power_loss_at_their_instant() {
    check_played(serve_and_play(clients(), klamm_smol::Server::start));
}

/// Something has happened, and every promise was kept.
fn check_played(played: Result<Played, PlayError>) {
    let Played { operations, answers, losses } = played.expect("the driver keeps its promises");
    assert!(losses > 50 && answers > losses && operations > answers, "{losses} of {answers}");
}

#[test]
fn an_answer_before_its_sync_is_caught() {
    // What else such a broker does too early, the rules of the disk find.
    let producers = vec![Client::new(0, 60), Client::new(1, 60)];
    let played = serve_and_play(producers, |config, options| {
        klamm_std::Server::start_machine(config, options, |config, seed, compression, now| Hasty {
            broker: Broker::new(config, seed, compression, now),
            told: VecDeque::new(),
            now,
        })
    });
    assert!(matches!(played, Err(PlayError::Lost { .. })), "{played:?}");
}

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
    clients: Vec<Client>,
    start: impl FnOnce(Config, klamm_runtime::Options) -> Result<Handle, StartError>,
) -> Result<Played, PlayError> {
    let options = options();
    let root = TempDir::new();
    let installation = Installation::below(&root.path(), &options);
    for (path, content) in &installation.files {
        let real = PathBuf::from(path.as_str());
        fs::create_dir_all(real.parent().expect("a file is in a directory")).expect("it is ours");
        fs::write(&real, content).expect("it is ours");
    }
    let config = installation.config(&options);
    let log_dirs = &installation.log_dirs;
    let mut disk = Disk::new();
    put_directory(&mut disk, &root.0, |_| true).expect("it is ours");
    disk.set_log_directories(log_dirs.clone());

    let tracer = Arc::new(Tracer::default());
    let driver = klamm_runtime::Options { recorder: Some(tracer.clone()), ..Default::default() };
    let mut on_free_port = config.clone();
    for listener in on_free_port.listeners.iter_mut().chain(&mut on_free_port.advertised) {
        "127.0.0.1".clone_into(&mut listener.host);
        listener.port = 0;
    }
    let server = start(on_free_port, driver).expect("the port is free");
    let crowd = Crowd::new(options, installation.topics.clone(), Moment::now());
    work(&crowd, clients, server.addresses()[0].1);
    server.shutdown();
    assert_eq!(server.wait(), Exit::Clean);

    let mut judge = Judge::default();
    let told = crowd.take_entries().into_iter().chain([(crowd.now_micros(), Entry::Stopped)]);
    for (micros, entry) in told {
        judge.observe(micros, &entry).expect("the clients are told what is true");
    }
    let log_dirs: Vec<_> =
        log_dirs.iter().map(|path| std::path::Path::new(path.as_str())).collect();
    judge.check_files(&log_dirs, true).expect("the files are as they should be");
    Playback::new(disk, config, 11).play(&tracer.take_steps())
}

/// Logs that roll, with deletions from their fronts, and topics that come and go.
fn options() -> Options {
    Options {
        pipeline: 5,
        topics: 2,
        partitions: 2,
        request_partitions_max: 2,
        log_dirs: 2,
        segment_bytes: 1 << 13,
        task_interval_ms: 20,
        file_delete_delay_ms: 1,
        delete_per_mille: 300,
        fetch_wait_ms_max: 20,
        passing_topics: 2,
        passing_partitions: 2,
        ..Options::calm()
    }
}

/// Several of every kind.
fn clients() -> Vec<Client> {
    vec![
        Client::new(0, 60),
        Client::new(1, 60),
        Client::idempotent(2, 40),
        Client::consumer(3, 30),
        Client::consumer(4, 30),
        Client::inquirer(5, 40),
        Client::administrator(6, 20),
    ]
}

/// All clients at once, each with a connection of its own, until all are done.
fn work(crowd: &Crowd, clients: Vec<Client>, address: SocketAddr) {
    thread::scope(|scope| {
        for (seed, client) in (1..).zip(clients) {
            scope.spawn(move || {
                let ending = crowd.work(&mut Member::new(client, seed), address);
                assert_eq!(ending.expect("its answers are right"), Ending::Done);
            });
        }
    });
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
