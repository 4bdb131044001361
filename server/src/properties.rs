//! `server.properties`: Java's properties syntax, with the line of each entry for error messages.

use std::error::Error as _;
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use java_properties::{LineContent, PropertiesIter};
use klamm_core::config::{self, ConfigError, Settings};

/// Reads the file and what it says; without a file the defaults hold.
pub(crate) fn read(file: Option<&Path>) -> Result<(Settings, Source), PropertiesError> {
    let source = match file {
        Some(file) => Source { file: file.into(), entries: entries(file)? },
        None => Source { file: "defaults".into(), entries: Vec::new() },
    };
    let pairs = source.entries.iter().map(|entry| (&entry.key, &entry.value));
    let settings = config::parse(pairs).map_err(|error: ConfigError| PropertiesError {
        place: source.place_of(&error.key),
        reason: error.to_string(),
    })?;
    Ok((settings, source))
}

/// Where settings came from.
#[derive(Debug)]
pub(crate) struct Source {
    file: PathBuf,
    entries: Vec<Entry>,
}

impl Source {
    /// Where to change a key. Of equal keys the last one counts.
    pub(crate) fn place_of(&self, key: &str) -> Place {
        let entry = self.entries.iter().rfind(|entry| entry.key == key);
        Place { file: self.file.clone(), line: entry.map(|entry| entry.line) }
    }
}

/// Why the settings cannot be had: one line that says where.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {reason}")]
pub(crate) struct PropertiesError {
    place: Place,
    reason: String,
}

/// A file and, where it is known, a line of it.
#[derive(Debug)]
pub(crate) struct Place {
    file: PathBuf,
    line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// From 1.
    line: usize,
    key: String,
    value: String,
}

fn entries(file: &Path) -> Result<Vec<Entry>, PropertiesError> {
    let input = File::open(file).map_err(|error| at(file, None, error.to_string()))?;
    let mut entries = Vec::new();
    for line in PropertiesIter::new(BufReader::new(input)) {
        let line = line.map_err(|error| {
            let cause = error.source().map_or(String::new(), |cause| format!(" ({cause})"));
            at(file, error.line_number(), format!("not Java's properties syntax: {error}{cause}"))
        })?;
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content() {
            entries.push(Entry { line: number, key, value });
        }
    }
    Ok(entries)
}

fn at(file: &Path, line: Option<usize>, reason: String) -> PropertiesError {
    PropertiesError { place: Place { file: file.into(), line }, reason }
}

#[cfg(test)]
mod tests {
    use super::read;
    use std::fs;
    use std::path::PathBuf;

    /// A file that is gone when its test ends.
    struct Written(PathBuf);

    impl Written {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("klamm-{}-{name}", std::process::id()));
            fs::write(&path, text).expect("the temporary directory takes files");
            Self(path)
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn javas_syntax_is_read() {
        let file = Written::new(
            "syntax",
            "# a comment\n! another\nnode.id : 7\nlog.dirs=/a,\\\n    /b\nkey\\ x value\n",
        );
        let (settings, source) = read(Some(&file.0)).expect("a good file");
        assert_eq!(settings.config.node_id, 7);
        assert_eq!(settings.config.log_dirs.len(), 2);
        assert_eq!(settings.unknown, ["key x"]);
        let expected = format!("{}:4", file.0.display());
        assert_eq!(source.place_of("log.dirs").to_string(), expected);
    }

    #[test]
    fn an_error_names_file_line_key_and_what_is_allowed() {
        let file = Written::new("error", "node.id=1\n\nnode.id=-3\n");
        let expected = format!(
            "{}:3: node.id=-3 cannot be used: allowed is an integer from 0 to 2147483647",
            file.0.display()
        );
        assert_eq!(read(Some(&file.0)).expect_err("a bad value").to_string(), expected);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Some("/no/such/file".as_ref())).expect_err("no file");
        assert!(error.to_string().starts_with("/no/such/file: No such file"), "{error}");
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        assert_eq!(read(None).expect("defaults").0.config.node_id, 1);
    }
}
