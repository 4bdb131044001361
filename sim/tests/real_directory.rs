//! The model of the disk against a real directory: when nothing fails, both give the same results
//! and the same kinds of errors, and hold the same files and directories after each step.
//!
//! More and longer histories: `KLAMM_DISK_SEEDS=2000 cargo test -p klamm-sim --test real_directory`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use klamm_core::effect::{
    Completion, Effect, Entry, FileRef, IoError, Operation, OperationResult, Path, Space, SyncSet,
};
use klamm_core::ids::{EffectId, FileId, JobId};
use klamm_runtime::{Disk as _, Files};
use klamm_sim::decisions::{Decisions, Purpose};
use klamm_sim::disk::{Crash, Disk, Progress, Violation};

/// Histories of a plain test run; each has a few files and directories, so that they often meet.
const SEEDS: u64 = 40;

const STEPS: usize = 150;

/// Fewer than there are files: some are closed behind the model's back, and opened again.
const OPEN_MAX: usize = 3;

/// Effects that are told when the two differ.
const LAST_TOLD: usize = 12;

const NAMES: [&str; 4] = ["a", "b", "c", "a-b"];

/// Nothing in a history is drawn for more than this.
const DRAW: Purpose = Purpose::DiskOrder;

#[test]
fn the_model_and_a_real_directory_agree() {
    let seeds = std::env::var("KLAMM_DISK_SEEDS").ok();
    let seeds = seeds.map_or(SEEDS, |text| text.parse().expect("a number"));
    let mut reached = BTreeMap::<String, u64>::new();
    for seed in 0..seeds {
        let mut pair = Pair::new(seed);
        for step in 0..STEPS {
            if let Err(what) = pair.step(&mut reached) {
                let last = &pair.history[pair.history.len().saturating_sub(LAST_TOLD)..];
                panic!("seed {seed}, step {step}: {what}\nbefore: {last:#?}");
            }
        }
    }
    for wanted in REACHED {
        assert!(reached.contains_key(*wanted), "{wanted} is never reached: {reached:#?}");
    }
}

/// Operations and how they end: each must be met.
const REACHED: &[&str] = &[
    "open: done",
    "open: NotFound",
    "open: Other",
    "create: done",
    "create: NotFound",
    "create: Other",
    "write: done",
    "write: NotFound",
    "write: Other",
    "read: done",
    "read: NotFound",
    "read: Other",
    "set length: done",
    "set length: NotFound",
    "set length: Other",
    "sync: done",
    "sync: NotFound",
    "sync: Other",
    "sync directory: done",
    "sync directory: NotFound",
    "sync directory: Other",
    "rename: done",
    "rename: NotFound",
    "rename: Other",
    "unlink: done",
    "unlink: NotFound",
    "unlink: Other",
    "make directory: done",
    "make directory: Other",
    "remove directory: done",
    "remove directory: NotFound",
    "remove directory: Other",
    "list: done",
    "list: NotFound",
    "list: Other",
    "space: done",
    "space: NotFound",
    "space: Other",
    "lock: done",
    "lock: Locked",
    "lock: NotFound",
    "lock: Other",
    "close: done",
    "sync set: done",
    "killed: done",
];

/// A model and a directory to which the same is done.
struct Pair {
    root: Path,
    model: Disk,
    files: Files,
    decisions: Decisions,
    effects: u64,
    /// Ids in use, with the path at which the file of each is now.
    ids: Vec<(FileRef, Path)>,
    ids_given: u64,
    /// What was done, in words.
    history: Vec<String>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let root = std::env::temp_dir().join(format!("klamm-disk-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&root).expect("the directory can be made");
        let root = Path::new(root.to_str().expect("its name is UTF-8"));
        let mut model = Disk::new();
        model.put_directory(&root);
        Self {
            root,
            model,
            files: Files::new(OPEN_MAX),
            decisions: Decisions::from_seed(seed),
            effects: 0,
            ids: Vec::new(),
            ids_given: 0,
            history: Vec::new(),
        }
    }

    /// Does one thing to both, and compares what is told and what is there.
    fn step(&mut self, reached: &mut BTreeMap<String, u64>) -> Result<(), String> {
        let done = match self.below(40) {
            0 => self.kill(),
            1 => self.sync_set()?,
            2..6 => {
                let mut operations = Vec::new();
                for _ in 0..=self.below(3) {
                    operations.push(self.draw());
                    // Which ids mean what, once these are done, is not known before.
                    if operations.last().is_some_and(|last| moves(last) || binds(last)) {
                        break;
                    }
                }
                self.effect(operations)?
            }
            _ => {
                let operation = self.draw();
                self.effect(vec![operation])?
            }
        };
        for name in done {
            *reached.entry(name).or_default() += 1;
        }
        // The sync of what is not there has failed too, and may be tried again here.
        let is_rule = |found: &&Violation| !matches!(found, Violation::SyncAfterFailedSync { .. });
        match self.model.take_violations().iter().find(is_rule) {
            Some(violation) => Err(format!("a rule is broken: {violation}")),
            None => self.compare(),
        }
    }

    /// The process is gone and another one begins: what is not open any more is found again by its
    /// name, under new ids.
    fn kill(&mut self) -> Vec<String> {
        self.model.crash(Crash::Killed, &mut self.decisions);
        self.files = Files::new(OPEN_MAX);
        self.ids.clear();
        vec!["killed: done".to_owned()]
    }

    fn effect(&mut self, operations: Vec<Operation>) -> Result<Vec<String>, String> {
        let in_model = self.in_model(Effect::Operations(operations.clone()));
        self.history.push(format!("{:?}", operations.iter().map(short).collect::<Vec<_>>()));
        let mut done = Vec::new();
        let mut failed = None;
        for operation in &operations {
            match self.files.perform(operation) {
                Ok(result) => done.push(result),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let tried = operations.iter().take(done.len() + 1);
        let told = |(at, operation): (usize, &Operation)| {
            let ending = failed.as_ref().filter(|_| at == done.len());
            let ending = ending.map_or("done".to_owned(), |error| format!("{:?}", error.kind));
            format!("{}: {ending}", klamm_sim::marks::operation_name(operation))
        };
        let names = tried.enumerate().map(told).collect();
        operations.iter().take(done.len()).for_each(|operation| self.follow(operation));
        let in_directory = match failed {
            None => Completion::Done(done),
            Some(error) => Completion::Failed { done, error },
        };
        let same = comparable(in_model.clone()) == comparable(in_directory.clone());
        same.then_some(names).ok_or_else(|| {
            format!("{operations:?}\nin the model: {in_model:?}\nin truth: {in_directory:?}")
        })
    }

    /// All of what is there, in any order.
    fn sync_set(&mut self) -> Result<Vec<String>, String> {
        let set = SyncSet {
            directory: self.root.clone(),
            files: self.ids.iter().map(|(file, _)| file.clone()).collect(),
            directories: vec![self.root.clone()],
        };
        for file in &set.files {
            self.files
                .perform(&Operation::Sync(file.clone()))
                .map_err(|error| error.to_string())?;
        }
        match self.in_model(Effect::Sync(set)) {
            Completion::Done(results) if results.is_empty() => {
                Ok(vec!["sync set: done".to_owned()])
            }
            other => Err(format!("a set of syncs: {other:?}")),
        }
    }

    fn in_model(&mut self, effect: Effect) -> Completion {
        let id = EffectId { owner: JobId::BROKER, number: self.effects };
        self.effects += 1;
        self.model.submit(id, effect, &mut self.decisions);
        loop {
            self.model.start(id);
            if self.model.take_hold(id, 0, &mut self.decisions) == Progress::Finished {
                return self.model.complete(id);
            }
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.decisions.below(DRAW, bound)
    }

    fn draw(&mut self) -> Operation {
        match self.below(30) {
            0..2 => Operation::Open(self.file()),
            2..4 => Operation::Create(self.file()),
            4..10 => {
                let (file, position) = (self.file(), self.below(2_000));
                let pieces = self.below(4);
                let data = (0..pieces).map(|_| {
                    let byte = self.below(256) as u8;
                    Bytes::from(vec![byte; self.below(700) as usize])
                });
                let data = data.collect();
                Operation::Write { file, position, data }
            }
            10..14 => {
                let (file, position) = (self.file(), self.below(3_000));
                Operation::Read { file, position, length: self.below(4_000) as u32 }
            }
            14 | 15 => {
                let (file, length) = (self.file(), self.below(3_000));
                Operation::SetLength { file, length }
            }
            16 => Operation::Sync(self.file()),
            17 => Operation::SyncDirectory(self.path()),
            18..21 => Operation::Rename { from: self.path(), to: self.path() },
            21 | 22 => Operation::Unlink(self.path()),
            23 | 24 => Operation::MakeDirectory(self.path()),
            25 => Operation::RemoveDirectory(self.path()),
            26 => Operation::List(self.path()),
            27 => Operation::Space(self.path()),
            28 => Operation::Lock(self.file()),
            _ => Operation::Close(self.file()),
        }
    }

    /// Up to three names below the root; short ones are drawn more often.
    fn path(&mut self) -> Path {
        let mut path = self.root.clone();
        for _ in 0..=self.below(3).min(self.below(3)) {
            path = path.join(NAMES[self.below(NAMES.len() as u64) as usize]);
        }
        path
    }

    /// One whose id is known, or another id for a path.
    fn file(&mut self) -> FileRef {
        if !self.ids.is_empty() && self.below(3) > 0 {
            return self.decisions.pick(DRAW, &self.ids).0.clone();
        }
        let path = self.path();
        self.ids_given += 1;
        let id = FileId { owner: JobId::BROKER, number: self.ids_given };
        FileRef { id, path }
    }

    /// An operation was carried out: whose file is where now. An id whose file is gone is not used
    /// any more, as the machine must not.
    fn follow(&mut self, operation: &Operation) {
        match operation {
            Operation::Close(file) => self.ids.retain(|(known, _)| known.id != file.id),
            Operation::Unlink(path) => self.ids.retain(|(_, at)| at != path),
            Operation::Rename { from, to } if from != to => {
                self.ids.retain(|(_, at)| at != to);
                for (_, at) in self.ids.iter_mut().filter(|(_, at)| at.is_within(from)) {
                    let rest = &at.as_str()[from.as_str().len()..];
                    *at = Path::new(&format!("{to}{rest}"));
                }
            }
            other => {
                let is_new =
                    |file: &&FileRef| self.ids.iter().all(|(known, _)| known.id != file.id);
                let new = other.file().filter(is_new);
                self.ids.extend(new.map(|file| (file.clone(), file.path.clone())));
            }
        }
    }

    /// Each file with its content, and each directory.
    fn compare(&self) -> Result<(), String> {
        let mut real = (BTreeMap::new(), BTreeSet::new());
        walk(&self.root, &mut real);
        let content =
            self.model.files().into_iter().map(|(path, content)| (path, content.to_vec()));
        let mut directories = BTreeSet::new();
        let mut open = vec![self.root.clone()];
        while let Some(directory) = open.pop() {
            open.extend(self.model.directories_in(&directory));
            directories.insert(directory);
        }
        let model = (content.collect::<BTreeMap<Path, Vec<u8>>>(), directories);
        if model == real {
            return Ok(());
        }
        let told = |(files, directories): &(BTreeMap<Path, Vec<u8>>, BTreeSet<Path>)| {
            let lengths: Vec<_> = files.iter().map(|(path, all)| (path, all.len())).collect();
            format!("{directories:?} {lengths:?}")
        };
        Err(format!("there is, in the model: {}\nin truth: {}", told(&model), told(&real)))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        std::fs::remove_dir_all(self.root.as_str()).ok();
    }
}

fn short(operation: &Operation) -> String {
    let name = klamm_sim::marks::operation_name(operation);
    match (operation, operation.file()) {
        (Operation::Rename { from, to }, _) => format!("{name} {from} {to}"),
        (_, Some(file)) => format!("{name} {} as {}", file.path, file.id.number),
        (other, None) => format!("{name} {}", other.path()),
    }
}

/// Gives files other names, or none.
fn moves(operation: &Operation) -> bool {
    matches!(operation, Operation::Rename { .. } | Operation::Unlink(_) | Operation::Close(_))
}

/// May be the first to use an id.
fn binds(operation: &Operation) -> bool {
    matches!(operation, Operation::Create(_) | Operation::Lock(_) | Operation::Write { .. })
}

/// Without what the two cannot agree in: the times and words of the system, and its room.
fn comparable(completion: Completion) -> Completion {
    let result = |result| match result {
        OperationResult::Listed(entries) => {
            let timeless = |entry| Entry { modified_ms: 0, ..entry };
            OperationResult::Listed(entries.into_iter().map(timeless).collect())
        }
        OperationResult::Space(_) => {
            OperationResult::Space(Space { total_bytes: 0, usable_bytes: 0 })
        }
        other => other,
    };
    match completion {
        Completion::Done(done) => Completion::Done(done.into_iter().map(result).collect()),
        Completion::Failed { done, error } => {
            let done = done.into_iter().map(result).collect();
            Completion::Failed { done, error: IoError { message: String::new(), ..error } }
        }
    }
}

fn walk(directory: &Path, found: &mut (BTreeMap<Path, Vec<u8>>, BTreeSet<Path>)) {
    found.1.insert(directory.clone());
    for entry in std::fs::read_dir(directory.as_str()).expect("it is there") {
        let entry = entry.expect("it can be listed");
        let path = directory.join(entry.file_name().to_str().expect("a name of ours"));
        if entry.file_type().expect("it has one").is_dir() {
            walk(&path, found);
        } else {
            found.0.insert(path.clone(), std::fs::read(path.as_str()).expect("it can be read"));
        }
    }
}
