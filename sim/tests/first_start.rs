//! A crash before each file operation of a first start, of both kinds, and again in the start behind
//! it: what is left is formatted again or completed, and it is one cluster.

use std::sync::Arc;

use klamm_core::config::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use klamm_core::effect::{Completion, Effect, Path};
use klamm_core::ids::EffectId;
use klamm_core::time::{Instant, Now};
use klamm_core::{Broker, Exit, Job, Output};
use klamm_runtime::compression::Codecs;
use klamm_sim::decisions::Decisions;
use klamm_sim::disk::{Crash, Disk, Progress};

const NOW: Now = Now { mono: Instant::ZERO, wall_ms: 1_700_000_000_000 };

fn config() -> Config {
    let listener = Listener { name: "PLAINTEXT".to_owned(), host: "broker".to_owned(), port: 9092 };
    Config {
        node_id: 1,
        listeners: vec![listener.clone()],
        advertised: vec![listener],
        controller: Listener::default_controller(),
        log_dirs: vec![Path::new("/data0"), Path::new("/data1")],
        durability: Durability::PageCache,
        topic_defaults: TopicConfig::default(),
        creation: CreationConfig::default(),
        tasks: TaskConfig::default(),
        groups: GroupConfig::default(),
        cleaner: CleanerConfig::default(),
        metadata_log: MetadataLogConfig::default(),
        limits: Limits::default(),
        settings: Arc::default(),
    }
}

/// A machine that crashes before a file operation.
struct Machine {
    disk: Disk,
    decisions: Decisions,
    operations: u64,
    crash_before: Option<u64>,
    lives: u8,
}

impl Machine {
    fn new(seed: u64, crash_before: Option<u64>) -> Self {
        let mut disk = Disk::new();
        disk.set_log_directories(config().log_dirs);
        let decisions = Decisions::from_seed(seed);
        Self { disk, decisions, operations: 0, crash_before, lives: 0 }
    }

    /// Starts the broker and stops it again. `None` when the machine crashed meanwhile.
    fn live(&mut self) -> Option<String> {
        self.lives += 1;
        self.operations = 0;
        let mut broker = Broker::new(config(), [self.lives; 32], Arc::new(Codecs::default()), NOW);
        let mut cluster = None;
        loop {
            let outputs: Vec<Output> = std::iter::from_fn(|| broker.poll_output()).collect();
            assert!(!outputs.is_empty(), "it neither ends nor waits for anything");
            let mut drained = outputs.into_iter();
            while let Some(output) = drained.next() {
                match output {
                    Output::Effect(id, effect) => {
                        let completion = self.carry_out(id, effect)?;
                        broker.handle_completion(id, completion, NOW);
                    }
                    Output::Job(id, job) => {
                        let result = self.run(job)?;
                        broker.handle_job(id, result, NOW);
                    }
                    Output::Ready => {
                        self.disk.set_live();
                        cluster = Some(broker.image().cluster_id.clone());
                        assert!(broker.image().features.len() == 6, "{:?}", broker.image());
                        broker.handle_shutdown(NOW);
                    }
                    Output::Stopped(Exit::Clean) => return cluster,
                    Output::Stopped(Exit::Failed(reason)) => panic!("{reason}"),
                    Output::Event(_) | Output::Response(..) | Output::Close(_) => {}
                }
                let more: Vec<Output> = std::iter::from_fn(|| broker.poll_output()).collect();
                drained = drained.chain(more).collect::<Vec<_>>().into_iter();
            }
        }
    }

    fn run(&mut self, mut job: Job) -> Option<klamm_core::JobResult> {
        loop {
            while let Some((id, effect)) = job.poll_effect() {
                let completion = self.carry_out(id, effect)?;
                job.handle_completion(id, completion);
            }
            if let Some(result) = job.poll_done() {
                return Some(result);
            }
        }
    }

    fn carry_out(&mut self, id: EffectId, effect: Effect) -> Option<Completion> {
        self.disk.submit(id, effect, &mut self.decisions);
        loop {
            self.disk.start(id);
            if self.crash_before == Some(self.operations) {
                return None;
            }
            self.operations += 1;
            if self.disk.take_hold(id, NOW.wall_ms, &mut self.decisions) == Progress::Finished {
                break;
            }
        }
        let completion = self.disk.complete(id);
        assert_eq!(self.disk.take_violations(), []);
        Some(completion)
    }
}

#[test]
fn first_start_survives_a_crash_before_each_operation() {
    let mut calm = Machine::new(1, None);
    assert!(calm.live().is_some());
    let operations = calm.operations;
    assert!(operations > 100, "{operations}");
    for crash in [Crash::Killed, Crash::PowerLoss] {
        for at in 0..operations {
            let mut machine = Machine::new(at, Some(at));
            assert_eq!(machine.live(), None);
            machine.disk.crash(crash, &mut machine.decisions);
            // The start behind it is cut too, somewhere.
            machine.crash_before = Some(at * 7 % operations);
            let between = machine.live();
            machine.disk.crash(crash, &mut machine.decisions);
            machine.crash_before = None;
            let cluster = machine.live().expect("nothing strikes any more");
            let properties = ["/data0", "/data1"].map(|directory| {
                let path = Path::new(directory).join("meta.properties");
                let content = machine.disk.content(&path).expect("it is formatted");
                String::from_utf8_lossy(content).into_owned()
            });
            for text in properties {
                assert!(
                    text.contains(&cluster),
                    "{crash:?} before {at}: {cluster} is not in {text}"
                );
            }
            if let Some(between) = between {
                assert_eq!(between, cluster, "{crash:?} before {at}");
            }
        }
    }
}
