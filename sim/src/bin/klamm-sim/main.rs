//! `klamm-sim`: runs seeds and scripts, and tells how to repeat what fails.

#![forbid(unsafe_code)]

mod arguments;
mod failures;
mod panics;
mod search;

use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;

use arguments::{Arguments, Replayed, Task, USAGE};
use failures::Failures;
use klamm_sim::broken::{CONTROLS, Control};
use klamm_sim::decisions::Decisions;
use klamm_sim::enumerate::try_all;
use klamm_sim::ladder::Ladder;
use klamm_sim::options::Options;
use klamm_sim::script::Script;
use klamm_sim::world::{Report, World};
use search::Search;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

/// True when nothing has failed; an error tells of what cannot even be run.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let runs = Runs::of(arguments)?;
    match &arguments.task {
        Task::Help => say(USAGE),
        Task::ListBreaks => say(&list_breaks()),
        Task::CrashPoints => return Ok(crash_points(&Failures::of(arguments))),
        Task::Replay(replayed) => return replay(arguments, &runs, replayed),
        Task::Search { seeds, from, minutes } => {
            let seeds = seeds.or(runs.control.map(|control| control.seeds)).unwrap_or(u64::MAX);
            let search = Search { seeds, from: *from, minutes: *minutes };
            return Ok(search.run(&runs, &Failures::of(arguments)));
        }
    }
    Ok(true)
}

/// Prints a line. Who reads has enough when the pipe is closed.
fn say(line: &str) {
    if writeln!(std::io::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// How a seed or a script becomes a run, by the words of the command line.
struct Runs {
    control: Option<&'static Control>,
    set: Vec<(String, String)>,
}

impl Runs {
    fn of(arguments: &Arguments) -> Result<Self, String> {
        let unknown = "is no broken broker; --list-breaks tells which there are";
        let named = |name: &String| Control::named(name).ok_or(format!("{name} {unknown}"));
        let control = arguments.breaks.as_ref().map(named).transpose()?;
        for (name, value) in &arguments.set {
            Options::calm().set(name, value)?;
        }
        Ok(Self { control, set: arguments.set.clone() })
    }

    fn of_seed(&self, seed: u64) -> World {
        let mut decisions = Decisions::from_seed(seed);
        let mut options = match self.control {
            Some(control) => control.options(),
            None => Options::draw(&mut decisions),
        };
        self.change(&mut options);
        self.broken(World::new(options, decisions))
    }

    fn of_script(&self, script: &Script) -> World {
        let mut script = script.clone();
        self.change(&mut script.options);
        self.broken(World::from_script(&script))
    }

    fn change(&self, options: &mut Options) {
        for (name, value) in &self.set {
            options.set(name, value).expect("it was tried");
        }
    }

    fn broken(&self, world: World) -> World {
        match self.control {
            Some(control) => control.broken(world),
            None => world,
        }
    }

    /// What the seed's failure is kept under.
    fn name(&self, seed: u64) -> String {
        self.control.map_or(seed.to_string(), |control| format!("{}-{seed}", control.name))
    }

    /// The command that runs this seed again.
    fn again(&self, seed: u64) -> String {
        let set = self.set.iter().map(|(name, value)| format!(" --set {name}={value}"));
        format!("{}{}", self.again_by(&seed.to_string()), set.collect::<String>())
    }

    /// And the one for a script, in which the options are as they were set.
    fn again_by(&self, what: &str) -> String {
        let breaks = self.control.map(|control| format!(" --break {}", control.name));
        format!("klamm-sim{} --replay {what}", breaks.unwrap_or_default())
    }
}

fn replay(arguments: &Arguments, runs: &Runs, replayed: &Replayed) -> Result<bool, String> {
    let (world, name) = match replayed {
        Replayed::Seed(seed) => {
            say(&format!("SEED={seed}"));
            (runs.of_seed(*seed), runs.name(*seed))
        }
        Replayed::File(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            let script = Script::parse(&text).map_err(|error| format!("{file}: {error}"))?;
            let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
            (runs.of_script(&script), name.into_owned())
        }
    };
    say(&world.options().summary());
    let world = if arguments.trace { world.with_ladder(Ladder::new(say)) } else { world };
    match world.run() {
        Ok(report) => {
            say(&told(&report));
            Ok(true)
        }
        Err(failure) => {
            say(&format!("FAILED {failure}"));
            if arguments.minimises {
                let failures = Failures::of(arguments);
                failures.keep(&failure, &name, runs);
                failures.minimise(&failure, &name, runs);
            }
            Ok(false)
        }
    }
}

fn told(report: &Report) -> String {
    let Report { digest, events, requests, acknowledged, crashes, micros, marks, .. } = report;
    format!(
        "{marks}{events} events in {micros} us, {requests} requests, {acknowledged} acknowledged \
         appends, {crashes} crashes, digest {digest:016x}"
    )
}

fn list_breaks() -> String {
    let line = |control: &Control| format!("{:27}{}", control.name, control.does);
    CONTROLS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Every crash point of each small history, one history a core, up to the first that fails.
fn crash_points(failures: &Failures) -> bool {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let told = |number, about, tried| say(&format!("history {number}, {about}: {tried} crashes"));
    let Err((number, failure)) = try_all(threads, told) else { return true };
    say(&format!("history {number}: FAILED {failure}"));
    let runs = Runs { control: None, set: Vec::new() };
    failures.keep(&failure, &format!("history-{number}"), &runs);
    false
}
