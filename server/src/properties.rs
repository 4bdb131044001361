//! `server.properties`: Java's properties syntax, with the line of each entry for error messages.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use java_properties::{LineContent, PropertiesIter};
use klamm_core::config::{self, ConfigError, Settings};
use klamm_core::effect;

/// Reads the file, if there is one, and what it says with `overrides` behind it; for the other keys
/// the defaults hold.
pub(crate) fn read(
    file: Option<&Path>,
    overrides: Vec<(String, String)>,
) -> Result<(Settings, Source), PropertiesError> {
    let mut source = match file {
        Some(file) => Source { file: file.into(), entries: entries(file)? },
        None => Source { file: "defaults".into(), entries: Vec::new() },
    };
    let overrides = overrides.into_iter();
    source.entries.extend(overrides.map(|(key, value)| Entry { line: None, key, value }));
    let pairs = source.entries.iter().map(|entry| (&entry.key, &entry.value));
    let mut settings = config::parse(pairs).map_err(|error: ConfigError| PropertiesError {
        place: source.place_of(&error.key),
        reason: error.to_string(),
    })?;
    for log_dir in &mut settings.config.log_dirs {
        *log_dir = absolute(log_dir).map_err(|error| PropertiesError {
            place: source.place_of("log.dirs"),
            reason: format!("{log_dir}: {error}"),
        })?;
    }
    Ok((settings, source))
}

/// As administrators are told of it, who need not know the working directory.
fn absolute(log_dir: &effect::Path) -> io::Result<effect::Path> {
    let path = std::path::absolute(log_dir.as_str())?;
    let not_utf8 = || io::Error::new(io::ErrorKind::InvalidData, "a path that is not UTF-8");
    Ok(effect::Path::new(path.to_str().ok_or_else(not_utf8)?))
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
        let file = self.file.clone();
        match self.entries.iter().rfind(|entry| entry.key == key) {
            Some(Entry { line: None, .. }) => Place { file: "--override".into(), line: None },
            Some(Entry { line, .. }) => Place { file, line: *line },
            None => Place { file, line: None },
        }
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
    /// From 1; none on the command line.
    line: Option<usize>,
    key: String,
    value: String,
}

fn entries(file: &Path) -> Result<Vec<Entry>, PropertiesError> {
    let text = fs::read(file).map_err(|error| at(file, None, error.to_string()))?;
    let mut entries = Vec::new();
    for line in PropertiesIter::new(without_comments(&text).as_slice()) {
        let line = line.map_err(|error| {
            let text = error.to_string();
            let text = text.split(" (line_number").next().unwrap_or_default();
            at(file, error.line_number(), format!("not Java's properties syntax: {text}"))
        })?;
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content() {
            entries.push(Entry { line: Some(number), key, value });
        }
    }
    Ok(entries)
}

/// Empties the comments, where Java takes no backslash for an escape and the parser does.
fn without_comments(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    let mut is_continued = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let content = line.trim_ascii_end();
        if !is_continued && matches!(content.trim_ascii_start().first(), Some(b'#' | b'!')) {
            kept.extend_from_slice(b"#\n");
            continue;
        }
        kept.extend_from_slice(line);
        let ending = line.strip_suffix(b"\n").unwrap_or(line);
        let ending = ending.strip_suffix(b"\r").unwrap_or(ending);
        let backslashes = ending.iter().rev().take_while(|byte| **byte == b'\\').count();
        is_continued = backslashes % 2 == 1;
    }
    kept
}

fn at(file: &Path, line: Option<usize>, reason: String) -> PropertiesError {
    PropertiesError { place: Place { file: file.into(), line }, reason }
}

#[cfg(test)]
mod tests {
    use super::read;
    use klamm_core::effect::Path;
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
        let (settings, source) = read(Some(&file.0), Vec::new()).expect("a good file");
        assert_eq!(settings.config.node_id, 7);
        assert_eq!(settings.config.log_dirs.len(), 2);
        assert_eq!(settings.unused, ["key x"]);
        let expected = format!("{}:4", file.0.display());
        assert_eq!(source.place_of("log.dirs").to_string(), expected);
    }

    #[test]
    fn a_comment_holds_anything() {
        let text = "# C:\\users \\\r\nlog.dirs=/a,\\\r\n#b\r\n  ! \\u12\nnode.id=7\n";
        let file = Written::new("comment", text);
        let (settings, source) = read(Some(&file.0), Vec::new()).expect("a good file");
        let directories: Vec<_> = settings.config.log_dirs.iter().map(Path::as_str).collect();
        let here = std::env::current_dir().expect("a working directory");
        assert_eq!(directories, ["/a", &format!("{}/#b", here.display())]);
        let expected = format!("{}:5", file.0.display());
        assert_eq!(source.place_of("node.id").to_string(), expected);
    }

    #[test]
    fn what_is_no_syntax_is_named_with_its_line() {
        let file = Written::new("escape", "\n\nkey=\\u12\n");
        let error = read(Some(&file.0), Vec::new()).expect_err("no whole escape").to_string();
        let expected = format!(
            "{}:3: not Java's properties syntax: Malformed \\uxxxx encoding: not enough digits.",
            file.0.display()
        );
        assert_eq!(error, expected);
    }

    #[test]
    fn an_error_names_file_line_key_and_what_is_allowed() {
        let file = Written::new("error", "node.id=1\n\nnode.id=-3\n");
        let expected = format!(
            "{}:3: node.id=-3 cannot be used: allowed is an integer from 0 to 2147483647",
            file.0.display()
        );
        assert_eq!(read(Some(&file.0), Vec::new()).expect_err("a bad value").to_string(), expected);
    }

    #[test]
    fn override_goes_before_the_file_and_is_named_when_it_is_bad() {
        let file = Written::new("override", "node.id=1\n");
        let with =
            |value: &str| read(Some(&file.0), vec![("node.id".to_owned(), value.to_owned())]);
        assert_eq!(with("7").expect("a good value").0.config.node_id, 7);
        let error = with("x").expect_err("a bad value").to_string();
        assert!(error.starts_with("--override: node.id=x cannot be used"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Some("/no/such/file".as_ref()), Vec::new()).expect_err("no file");
        assert!(error.to_string().starts_with("/no/such/file: No such file"), "{error}");
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        assert_eq!(read(None, Vec::new()).expect("defaults").0.config.node_id, 1);
    }
}
