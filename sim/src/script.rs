//! A run as text: its options, and the choices taken. It replays without the generator, so that a
//! failure stays what it was when the drawing of options changes.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::decisions::{Decisions, Purpose};
use crate::options::Options;

/// One run, written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What the run is like.
    pub options: Options,
    /// What was chosen, by purpose.
    pub choices: BTreeMap<Purpose, Vec<u64>>,
}

impl Script {
    /// The script of a run that has been made.
    pub fn of(options: &Options, decisions: &Decisions) -> Self {
        let mut choices = decisions.record();
        // The options stand there themselves.
        choices.remove(&Purpose::Options);
        Self { options: options.clone(), choices }
    }

    /// The choices, to be made again.
    pub fn decisions(&self) -> Decisions {
        Decisions::from_record(self.choices.clone())
    }

    /// One `name=value` a line for the options, then one `choose PURPOSE: n n*count ...` a purpose.
    pub fn to_text(&self) -> String {
        let mut text = self.options.to_string();
        for (purpose, values) in &self.choices {
            text.push_str("choose ");
            text.push_str(purpose.name());
            text.push(':');
            for run in values.chunk_by(|one, next| one == next) {
                let written = match run.len() {
                    1 => write!(text, " {}", run[0]),
                    count => write!(text, " {}*{count}", run[0]),
                };
                written.expect("a string takes everything");
            }
            text.push('\n');
        }
        text
    }

    /// Reads [`to_text`](Self::to_text) back; empty lines and those that begin with `#` are
    /// skipped.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self { options: Options::default(), choices: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(rest) = line.strip_prefix("choose ") {
                let (purpose, values) = parse_choices(rest)?;
                script.choices.insert(purpose, values);
                continue;
            }
            let (name, value) = line.split_once('=').ok_or(format!("{line}: not understood"))?;
            script.options.set(name, value)?;
        }
        Ok(script)
    }
}

/// Numbers repeated in one place: more is a typing error, and would fill the memory.
const REPEATS_MAX: usize = 1 << 24;

fn parse_choices(text: &str) -> Result<(Purpose, Vec<u64>), String> {
    let (name, numbers) = text.split_once(':').ok_or(format!("{text}: no purpose"))?;
    let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == name);
    let purpose = purpose.ok_or(format!("{name}: no such purpose"))?;
    let mut values = Vec::new();
    for word in numbers.split_whitespace() {
        let (number, count) = word.split_once('*').unwrap_or((word, "1"));
        let number: u64 = number.parse().map_err(|_| format!("{word}: no number"))?;
        let count: usize = count.parse().map_err(|_| format!("{word}: no count"))?;
        values.extend(std::iter::repeat_n(number, count.min(REPEATS_MAX)));
    }
    Ok((purpose, values))
}

#[cfg(test)]
mod tests {
    use super::Script;
    use crate::decisions::{Decisions, Purpose};
    use crate::options::Options;

    #[test]
    fn a_script_reads_back_as_it_was_written() {
        let mut decisions = Decisions::from_seed(3);
        let options = Options::draw(&mut decisions);
        for bound in 1..200 {
            decisions.below(Purpose::Delay, bound % 5);
            decisions.below(Purpose::Crash, u64::MAX);
        }
        let script = Script::of(&options, &decisions);
        assert_eq!(Script::parse(&format!("# kept\n\n{}", script.to_text())), Ok(script));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["clients", "choose delay 1", "choose luck: 1", "choose delay: x", "a=1"] {
            assert!(Script::parse(text).is_err(), "{text}");
        }
    }
}
