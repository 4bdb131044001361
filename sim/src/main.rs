//! `klamm-sim`: runs seeds and scripts, and tells how to repeat what fails.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use klamm_core::effect::Path;
use klamm_sim::broken::{CONTROLS, Control, Search};
use klamm_sim::decisions::Decisions;
use klamm_sim::enumerate::{SMALL_HISTORIES, SmallHistory};
use klamm_sim::marks::Marks;
use klamm_sim::minimise::{RUNS_MAX, minimise};
use klamm_sim::options::Options;
use klamm_sim::script::Script;
use klamm_sim::world::{Failure, Report, World};

const USAGE: &str = "\
klamm-sim: the whole broker on a simulated network, disk and clock

    klamm-sim --seed N               one run, its options printed first
    klamm-sim --seeds N [--from S]   N runs, from seed S on
    klamm-sim --script FILE          a run that was written down
    klamm-sim --crash-points         every crash point of the small histories
    klamm-sim --break NAME           a broken broker, until it is caught
    klamm-sim --list-breaks          what broken brokers there are

    --minutes M      with --seeds: no longer than that
    --set NAME=VALUE with seeds: another value for an option, as often as wanted
    --trace          print each event
    --save FILE      write a failed run down as a script, and a smaller one beside it as FILE.min
";

/// A line is told whenever so many runs are over.
const PROGRESS_RUNS: u64 = 500;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("{what}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic of the machine is told with its seed, below.
    match arguments.run() {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(told) => {
            eprintln!("{told}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, Default)]
struct Arguments {
    seed: Option<u64>,
    seeds: Option<u64>,
    minutes: Option<u64>,
    from: u64,
    set: Vec<String>,
    script: Option<String>,
    crash_points: bool,
    breaks: Option<String>,
    lists_breaks: bool,
    trace: bool,
    save: Option<String>,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            let number = |text: String| text.parse().map_err(|_| format!("{text}: no number"));
            match word.as_str() {
                "--seed" => parsed.seed = Some(number(value()?)?),
                "--seeds" => parsed.seeds = Some(number(value()?)?),
                "--minutes" => parsed.minutes = Some(number(value()?)?),
                "--from" => parsed.from = number(value()?)?,
                "--script" => parsed.script = Some(value()?),
                "--set" => parsed.set.push(value()?),
                "--save" => parsed.save = Some(value()?),
                "--break" => parsed.breaks = Some(value()?),
                "--list-breaks" => parsed.lists_breaks = true,
                "--crash-points" => parsed.crash_points = true,
                "--trace" => parsed.trace = true,
                _ => return Err(format!("{word} is not understood")),
            }
        }
        Ok(parsed)
    }

    fn run(&self) -> Result<String, String> {
        if let Some(file) = &self.script {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            let script = Script::parse(&text).map_err(|error| format!("{file}: {error}"))?;
            return self.one(World::from_script(&script), &format!("--script {file}"));
        }
        if self.lists_breaks {
            return Ok(list_breaks());
        }
        if let Some(name) = &self.breaks {
            return self.break_it(name);
        }
        if self.crash_points {
            return self.crash_points();
        }
        if let Some(count) = self.seeds {
            return self.many(count);
        }
        let seed = self.seed.ok_or_else(|| USAGE.to_owned())?;
        let (world, again) = self.world_of(seed)?;
        let options = world.options();
        println!("SEED={seed}\n{options}");
        self.one(world, &again)
    }

    fn one(&self, world: World, again: &str) -> Result<String, String> {
        let world = if self.trace { world.with_trace() } else { world };
        match world.run() {
            Ok(report) => Ok(told(&report)),
            Err(failure) => Err(self.failed(&failure, again)),
        }
    }

    /// Runs seeds one after another, and tells of each that fails as it does.
    fn many(&self, count: u64) -> Result<String, String> {
        let (mut runs, mut events, mut acknowledged, mut crashes) = (0_u64, 0, 0, 0);
        let mut failures = 0;
        let mut marks = Marks::default();
        let begun = Instant::now();
        let is_over = || self.minutes.is_some_and(|most| begun.elapsed().as_secs() >= most * 60);
        for seed in self.from..self.from.saturating_add(count) {
            if is_over() {
                break;
            }
            let (world, again) = self.world_of(seed)?;
            let options = world.options().to_string();
            runs += 1;
            match world.run() {
                Ok(report) => {
                    events += report.events;
                    acknowledged += report.acknowledged;
                    marks.add(&report.marks);
                    crashes += report.crashes;
                }
                Err(failure) => {
                    failures += 1;
                    eprintln!("SEED={seed}\n{options}{}", self.failed(&failure, &again));
                }
            }
            if runs.is_multiple_of(PROGRESS_RUNS) {
                eprintln!("{runs} seeds, {failures} failures, the next is {}", seed + 1);
            }
        }
        let rate = u128::from(runs) * 1000 / begun.elapsed().as_millis().max(1);
        let told = format!(
            "{marks}{events} events, {acknowledged} acknowledged appends, {crashes} crashes, {rate} \
             seeds a second\n{runs} seeds from {}, {failures} failures",
            self.from
        );
        if failures == 0 { Ok(told) } else { Err(told) }
    }

    /// The run of a seed, with the options that were set by hand, and the words that repeat it.
    fn world_of(&self, seed: u64) -> Result<(World, String), String> {
        let mut decisions = Decisions::from_seed(seed);
        let mut options = Options::draw(&mut decisions);
        let mut again = format!("--seed {seed}");
        for set in &self.set {
            let (name, value) = set.split_once('=').ok_or(format!("{set} sets nothing"))?;
            options.set(name, value)?;
            write!(again, " --set {set}").expect("a string takes everything");
        }
        Ok((World::new(options, decisions), again))
    }

    /// Looks for one broken broker: an error tells that it was caught, as of any other failure.
    fn break_it(&self, name: &str) -> Result<String, String> {
        let control = Control::named(name).ok_or(format!("{name} is no broken broker"))?;
        let again = |seed| format!("--break {name} --seed {seed}");
        if let Some(seed) = self.seed {
            return self.one(control.world(seed), &again(seed));
        }
        match control.search() {
            Search::Found(seed, failure) => Err(self.failed(&failure, &again(seed))),
            Search::Unfair(seed, failure) => {
                Err(format!("seed {seed}, without the break: {}", self.failed(&failure, "")))
            }
            Search::Missed(instead) => {
                Ok(format!("{name} was not caught in {} seeds: {instead:#?}", control.seeds))
            }
        }
    }

    fn crash_points(&self) -> Result<String, String> {
        let mut told = String::new();
        for number in 0..SMALL_HISTORIES {
            let tried = SmallHistory::new(number)
                .and_then(|history| history.try_crash_points(0, 1))
                .map_err(|failure| self.failed(&failure, "--crash-points"))?;
            writeln!(told, "history {number}: {tried} crashes").expect("a string takes everything");
        }
        Ok(told)
    }

    fn failed(&self, failure: &Failure, again: &str) -> String {
        let mut told = format!("FAILED {failure}\nto repeat: klamm-sim {again}");
        if let Some(file) = &self.save {
            told.push_str("\nto repeat without the seed: ");
            told.push_str(&saved(failure, file));
            // A broken broker is no part of a script.
            if self.breaks.is_none() {
                let smaller = minimise(failure, RUNS_MAX, World::from_script);
                told.push_str("\nto repeat what is left of it: ");
                told.push_str(&saved(&smaller, &format!("{file}.min")));
            }
        }
        told
    }
}

/// Writes a failed run down; gives the command that repeats it, or why there is none.
fn saved(failure: &Failure, file: &str) -> String {
    let text = format!("# {failure}\n{}", failure.script.to_text());
    match std::fs::write(file, text) {
        Ok(()) => format!("klamm-sim --script {file}"),
        Err(error) => format!("{}: {error}", Path::new(file)),
    }
}

fn list_breaks() -> String {
    let line = |control: &Control| format!("{:27}{}", control.name, control.does);
    CONTROLS.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn told(report: &Report) -> String {
    let Report { digest, events, acknowledged, crashes, micros, marks, .. } = report;
    format!(
        "{events} events in {micros} us, {acknowledged} acknowledged appends, {crashes} crashes, \
         digest {digest:016x}\n{marks}"
    )
}
