//! The words of the command line.

pub(crate) const USAGE: &str = "\
klamm-sim: the whole broker on a simulated network, disk and clock

    klamm-sim --seeds N [--from S] [--minutes M]   N seeds from S on, no longer than that
    klamm-sim --minutes M [--from S]               as many as there is time for
    klamm-sim --replay SEED|FILE [--trace]         one seed again, or one script
    klamm-sim --break NAME                         a broken broker, up to the first failure
    klamm-sim --list-breaks                        which there are
    klamm-sim --crash-points                       every crash point of the small histories

    --trace            tell what happens: requests, effects, faults, answers
    --minimise         with --replay: make what fails smaller, and keep both scripts
    --set NAME=VALUE   another value for an option, as often as wanted
    --keep DIR         where scripts of what failed are kept (sim-failures)

The last line of a search is `N seeds, F failures`; the exit code is 1 when any failed. Each failure
is told with the check that found it, its script and the command that replays it; then it is made
smaller, which keeps a script of its own. A broken broker's failure is not.
";

/// What is to be done, and how.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
    pub(crate) breaks: Option<String>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) trace: bool,
    pub(crate) minimises: bool,
    pub(crate) keep: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Help,
    ListBreaks,
    CrashPoints,
    Replay(Replayed),
    /// `seeds` is `None` where the time alone, or the broken broker, says how many.
    Search {
        seeds: Option<u64>,
        from: u64,
        minutes: Option<u64>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    Seed(u64),
    File(String),
}

impl Arguments {
    /// An error says which word is wrong.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut seeds, mut from, mut minutes) = (None, 0, None);
        let mut task = None;
        let mut parsed = Self {
            task: Task::Help,
            breaks: None,
            set: Vec::new(),
            trace: false,
            minimises: false,
            keep: "sim-failures".to_owned(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--seeds" => seeds = Some(number(&value()?)?),
                "--from" => from = number(&value()?)?,
                "--minutes" => minutes = Some(number(&value()?)?),
                "--replay" => task = Some(Task::Replay(Replayed::of(value()?))),
                "--break" => parsed.breaks = Some(value()?),
                "--list-breaks" => task = Some(Task::ListBreaks),
                "--crash-points" => task = Some(Task::CrashPoints),
                "--trace" => parsed.trace = true,
                "--minimise" => parsed.minimises = true,
                "--set" => {
                    let set = value()?;
                    let (name, value) = set.split_once('=').ok_or(format!("{set} sets nothing"))?;
                    parsed.set.push((name.to_owned(), value.to_owned()));
                }
                "--keep" => parsed.keep = value()?,
                "--help" | "-h" => task = Some(Task::Help),
                _ => return Err(format!("{word} is not understood")),
            }
        }
        let searches = seeds.is_some() || minutes.is_some() || parsed.breaks.is_some();
        parsed.task = match task {
            Some(task) => task,
            None if searches => Task::Search { seeds, from, minutes },
            None => return Err("nothing to do".to_owned()),
        };
        let replays = matches!(parsed.task, Task::Replay(_));
        if !replays && (parsed.trace || parsed.minimises) {
            return Err("--trace and --minimise go with --replay".to_owned());
        }
        Ok(parsed)
    }
}

impl Replayed {
    fn of(word: String) -> Self {
        word.parse().map_or(Self::File(word), Self::Seed)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Replayed, Task};

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_searched_and_replayed_is_understood() {
        let search = |seeds, from, minutes| Ok(Task::Search { seeds, from, minutes });
        let task = |line| parse(line).map(|arguments| arguments.task);
        assert_eq!(task("--seeds 5 --from 7"), search(Some(5), 7, None));
        assert_eq!(task("--minutes 2"), search(None, 0, Some(2)));
        assert_eq!(task("--break answers-before-sync"), search(None, 0, None));
        assert_eq!(task("--replay 42 --trace"), Ok(Task::Replay(Replayed::Seed(42))));
        assert_eq!(task("--replay a.script"), Ok(Task::Replay(Replayed::File("a.script".into()))));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["", "--seeds", "--seeds x", "--set 3 --seeds 1", "--seeds 1 --trace", "7"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
