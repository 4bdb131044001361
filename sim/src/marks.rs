//! What has happened in a run, counted by name: a test says which of it must happen at all, so that
//! runs which promise nothing do not pass for runs which keep their promises.

use std::collections::BTreeMap;
use std::fmt;

use klamm_core::effect::{Effect, Operation};

/// What a mark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// File operations that took hold.
    CarriedOut,
    /// File operations that failed, or syncs of directories.
    Failed,
    /// Why they did.
    Failure,
    /// Effects that were out when the broker was gone, by their first operation.
    CutShort,
    /// Crashes, by kind and by the phase that they met.
    Crash,
    /// Turns of the broker, by its phase, and how its lives ended.
    Phase,
    /// What the broker told its driver as events.
    Event,
    /// How appends were answered, by Kafka's names.
    Answer,
    /// What administrators asked for.
    Asked,
    /// How that has ended.
    Changed,
    /// What has become of topics that come and go, in the broker's image.
    Topic,
    /// What else clients were told, by question.
    Told,
    /// What was asked of groups.
    GroupAsked,
    /// How that was answered.
    GroupTold,
    /// Where a bit has flipped at rest.
    Rot,
    /// Records in the logs at the end of a run.
    Stored,
    /// Everything else.
    Other,
}

impl Group {
    fn title(self) -> &'static str {
        match self {
            Self::CarriedOut => "carried out",
            Self::Failed => "failed",
            Self::Failure => "failures",
            Self::CutShort => "cut short",
            Self::Crash => "crashes",
            Self::Phase => "phases",
            Self::Event => "events",
            Self::Answer => "answers",
            Self::Asked => "asked",
            Self::Changed => "changed",
            Self::Topic => "topics",
            Self::Told => "told",
            Self::GroupAsked => "group asked",
            Self::GroupTold => "group told",
            Self::Rot => "rot",
            Self::Stored => "stored",
            Self::Other => "other",
        }
    }
}

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<(Group, &'static str), u64>);

impl Marks {
    /// It has happened once more.
    pub fn hit(&mut self, group: Group, name: &'static str) {
        *self.0.entry((group, name)).or_default() += 1;
    }

    /// How often it has happened.
    pub fn count(&self, group: Group, name: &str) -> u64 {
        let found = self.0.iter().find(|((other, known), _)| *other == group && *known == name);
        found.map_or(0, |(_, count)| *count)
    }

    /// Takes in what happened in another run.
    pub fn add(&mut self, other: &Self) {
        for (mark, count) in &other.0 {
            *self.0.entry(*mark).or_default() += count;
        }
    }
}

const TITLE_COLUMNS: usize = 13;
const COLUMNS_MAX: usize = 100;

/// A table: each group begins a line, its marks follow as `name count`, folded.
impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = String::new();
        let mut last = None;
        for ((group, name), count) in &self.0 {
            let cell = format!("{name} {count}");
            let begins = last.replace(*group) != Some(*group);
            if begins || line.len() + cell.len() + 2 > COLUMNS_MAX {
                if !line.is_empty() {
                    writeln!(f, "{line}")?;
                }
                let title = if begins { group.title() } else { "" };
                line = format!("{title:TITLE_COLUMNS$}{cell}");
            } else {
                line = format!("{line}, {cell}");
            }
        }
        if line.is_empty() { Ok(()) } else { writeln!(f, "{line}") }
    }
}

/// An operation's name.
pub fn operation_name(operation: &Operation) -> &'static str {
    match operation {
        Operation::Open(_) => "open",
        Operation::Create(_) => "create",
        Operation::Write { .. } => "write",
        Operation::Read { .. } => "read",
        Operation::SetLength { .. } => "set length",
        Operation::Sync(_) => "sync",
        Operation::SyncDirectory(_) => "sync directory",
        Operation::Rename { .. } => "rename",
        Operation::Unlink(_) => "unlink",
        Operation::MakeDirectory(_) => "make directory",
        Operation::RemoveDirectory(_) => "remove directory",
        Operation::List(_) => "list",
        Operation::Space(_) => "space",
        Operation::Lock(_) => "lock",
        Operation::Close(_) => "close",
    }
}

/// An effect's name: that of its first operation.
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Sync(_) => "sync set",
        Effect::Operations(operations) => operations.first().map_or("nothing", operation_name),
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS_MAX, Group, Marks};

    #[test]
    fn each_group_begins_a_line_and_none_is_too_long() {
        let mut marks = Marks::default();
        marks.hit(Group::Answer, "NONE");
        marks.hit(Group::Crash, "killed in service");
        let mut twice = marks.clone();
        twice.add(&marks);
        twice.hit(Group::Crash, "power loss in service");
        assert_eq!(twice.count(Group::Crash, "killed in service"), 2);
        assert_eq!(twice.count(Group::Answer, "killed in service"), 0);
        let table = twice.to_string();
        let expected = "crashes      killed in service 2, power loss in service 1\n\
                        answers      NONE 2\n";
        assert_eq!(table, expected);
        for code in klamm_core::error_code::ErrorCode::ALL {
            twice.hit(Group::Answer, code.name().expect("it has one"));
        }
        let table = twice.to_string();
        assert!(table.lines().all(|line| line.len() <= COLUMNS_MAX), "{table}");
    }
}
