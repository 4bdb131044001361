//! Every key that is known, in one table for each kind of resource: its type, default and bounds,
//! whether it changes while the broker runs, and what it does here.
//!
//! The tables drive the parsing of `server.properties`, the checks of what clients set, what they
//! are told, and what is used. Names, types, bounds, defaults and the words of errors are Kafka's.

mod cleaner;
pub mod client_metrics;
pub mod group;
mod server;
pub mod topic;
mod unused;
mod value;
mod value_type;

pub(super) use value::{Value, Voter, parts};
pub use value_type::ValueType;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value may be.
    pub value_type: ValueType,
    /// What holds when the key is absent, as it would be written; `None` when nothing does, or what
    /// follows from other keys.
    pub default: Option<&'static str>,
    /// What it does, in sentences; `None` when it is taken and does nothing here.
    pub documentation: Option<&'static str>,
    /// When it may change.
    pub update: Update,
    /// It is told only where it is set.
    pub is_internal: bool,
}

/// When a key of the broker may change (`DynamicBrokerConfig`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// With a restart.
    AtStart,
    /// While the broker runs, for one broker or for all.
    Dynamic,
    /// While the broker runs, and only behind the prefix `listener.name.NAME.`.
    PerListener,
}

impl Key {
    const fn new(name: &'static str, value_type: ValueType, default: Option<&'static str>) -> Self {
        Self {
            name,
            value_type,
            default,
            documentation: None,
            update: Update::AtStart,
            is_internal: false,
        }
    }

    const fn does(self, documentation: &'static str) -> Self {
        Self { documentation: Some(documentation), ..self }
    }

    const fn dynamic(self) -> Self {
        Self { update: Update::Dynamic, ..self }
    }

    const fn per_listener(self) -> Self {
        Self { update: Update::PerListener, ..self }
    }

    const fn internal(self) -> Self {
        Self { is_internal: true, ..self }
    }

    /// While the broker runs it may change.
    pub fn is_dynamic(&self) -> bool {
        self.update != Update::AtStart
    }

    /// It does something here. What does not is named in the log, wherever it is set.
    pub fn has_effect(&self) -> bool {
        self.documentation.is_some()
    }

    /// Checks a value; Kafka's words when it may not be.
    pub fn check(&self, text: &str) -> Result<(), alloc::string::String> {
        // The default of a key for a class is a class.
        if self.default == Some(text.trim()) {
            return Ok(());
        }
        self.value_type.check(self.name, text)
    }
}

/// A key of `server.properties`, by its name.
pub fn find(name: &str) -> Option<&'static Key> {
    let in_order = |keys: &'static [Key]| {
        let at = keys.binary_search_by_key(&name, |key| key.name).ok()?;
        Some(&keys[at])
    };
    let unused = || unused::KEYS.into_iter().find_map(in_order);
    let used = || server::KEYS.iter().find(|key| key.name == name);
    in_order(cleaner::KEYS).or_else(used).or_else(unused)
}

/// Every key of `server.properties`.
pub fn all() -> impl Iterator<Item = &'static Key> {
    server::KEYS.iter().chain(cleaner::KEYS).chain(unused::KEYS.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::{all, find};

    #[test]
    fn every_default_is_allowed_by_its_own_key() {
        for key in all() {
            if let Some(default) = key.default {
                assert_eq!(key.check(default), Ok(()), "{}", key.name);
            }
        }
    }

    #[test]
    fn every_key_stands_once_and_says_what_it_does() {
        let mut names = BTreeSet::new();
        for key in all() {
            assert!(names.insert(key.name), "{} stands twice", key.name);
            if let Some(documentation) = key.documentation {
                assert!(documentation.ends_with('.'), "{}", key.name);
            }
        }
        assert!(all().all(|key| find(key.name).is_some_and(|found| found.name == key.name)));
        assert!(find("zookeeper.connect").is_none());
    }
}
