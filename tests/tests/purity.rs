//! The house's rules that a compiler does not check: who depends on whom, and what sources may hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// No file grows beyond what can be kept in mind.
const LINES_MAX: usize = 1_000;

/// The sources of the drivers with real sockets.
const DRIVERS: [&str; 2] = ["runtime-std/src", "runtime-smol/src"];

/// A driver knows how to wait; what it has beyond that belongs into what they share.
const DRIVER_LINES_MAX: usize = 600;

/// Words of Kafka's that a driver has no business with: it carries bytes and effects.
const KAFKAS_WORDS: &[&str] = &[
    "kafka",
    "produce",
    "producer",
    "fetch",
    "consumer",
    "api",
    "topic",
    "topics",
    "partition",
    "partitions",
    "record",
    "records",
    "batch",
    "batches",
    "offset",
    "offsets",
    "leader",
    "epoch",
    "correlation",
    "metadata",
];

/// Names of the standard library that hold one of these words.
const STANDARD_NAMES: &[&str] = &["fetch_add", "fetch_sub", "fetch_max", "fetch_min", "fetch_or"];

#[test]
fn core_depends_on_three_crates_alone() {
    let dependencies = direct_dependencies("klamm-core", "normal");
    assert_eq!(dependencies, BTreeSet::from(["bytes", "crc32c", "thiserror"].map(String::from)));
}

#[test]
fn dependencies_point_one_way() {
    for (package, known) in [
        ("klamm-runtime", &["klamm-core"][..]),
        ("klamm-std", &["klamm-core", "klamm-runtime"]),
        ("klamm-smol", &["klamm-core", "klamm-runtime"]),
        ("klamm-sim", &["klamm-core", "klamm-runtime"]),
        ("klamm", &["klamm-core", "klamm-runtime", "klamm-std", "klamm-smol"]),
    ] {
        for dependency in direct_dependencies(package, "normal") {
            let is_ours = dependency.starts_with("klamm");
            assert!(!is_ours || known.contains(&dependency.as_str()), "{package}: {dependency}");
        }
    }
}

#[test]
fn the_binary_holds_no_test_crate() {
    let output = cargo(&["tree", "-p", "klamm", "-e", "normal", "--prefix", "none"]);
    for forbidden in ["kafka-protocol", "klamm-sim", "klamm-tests", "loom", "shuttle", "tokio"] {
        let found = output.lines().any(|line| line.split(' ').next() == Some(forbidden));
        assert!(!found, "klamm links {forbidden}");
    }
    assert!(output.lines().any(|line| line.starts_with("klamm-core ")), "{output}");
}

#[test]
fn core_is_without_the_standard_library() {
    let root = fs::read_to_string(workspace().join("core/src/lib.rs")).expect("core/src/lib.rs");
    assert!(root.contains("#![no_std]"));
    for (path, text) in sources(&workspace().join("core/src")) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if line.starts_with("extern crate std") {
                assert!(at > 0 && lines[at - 1] == "#[cfg(test)]", "{}:{}", path.display(), at + 1);
            }
        }
    }
}

#[test]
fn no_crate_is_unsafe() {
    let mut roots = 0;
    for package in packages() {
        for target in package["targets"].as_array().expect("targets") {
            let kinds = target["kind"].as_array().expect("kinds");
            // The commands of these two may count what is allocated, which takes an allocator.
            let counts = ["klamm-tests", "klamm-bench"].iter().any(|name| package["name"] == *name);
            let is_command = !counts && kinds.contains(&"bin".into());
            if is_command || kinds.contains(&"lib".into()) {
                let path = target["src_path"].as_str().expect("a path");
                let text = fs::read_to_string(path).expect("a source");
                assert!(text.contains("#![forbid(unsafe_code)]"), "{path}");
                roots += 1;
            }
        }
    }
    assert!(roots >= 6, "{roots} crates");
}

#[test]
fn drivers_do_not_speak_kafka() {
    for driver in DRIVERS {
        for (path, text) in sources(&workspace().join(driver)) {
            for identifier in identifiers(&without_comments(&text)) {
                let is_kafkas = words(identifier).any(|word| KAFKAS_WORDS.contains(&word.as_str()))
                    && !STANDARD_NAMES.contains(&identifier);
                assert!(!is_kafkas, "{}: {identifier}", path.display());
            }
        }
    }
}

#[test]
fn drivers_are_thin() {
    for driver in DRIVERS {
        let lines: usize =
            sources(&workspace().join(driver)).iter().map(|(_, text)| text.lines().count()).sum();
        assert!(lines < DRIVER_LINES_MAX, "{driver}: {lines} lines");
    }
}

#[test]
fn files_stay_short() {
    for package in packages() {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let directory = Path::new(manifest).parent().expect("a directory");
        for (path, text) in sources(directory) {
            let lines = text.lines().count();
            assert!(lines < LINES_MAX, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn comments_are_told_from_code() {
    let text = "a /* b */ c // d\n\"e // f\" '\"' g // h";
    assert_eq!(without_comments(text), "a  c \n\"e // f\" '\"' g ");
    assert_eq!(words("FooBar_bazQUX").collect::<Vec<_>>(), ["foo", "bar", "baz", "qux"]);
    assert_eq!(identifiers("a.b_c(D1)").collect::<Vec<_>>(), ["a", "b_c", "D1"]);
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn packages() -> Vec<Value> {
    let text = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&text).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The names of what `package` declares to need, of one kind.
fn direct_dependencies(package: &str, kind: &str) -> BTreeSet<String> {
    let packages = packages();
    let found = packages.iter().find(|other| other["name"] == package).expect("a package of ours");
    let dependencies = found["dependencies"].as_array().expect("dependencies");
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].as_str().unwrap_or("normal") == kind)
        .map(|dependency| dependency["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Every Rust source below a directory, but for what cargo built.
fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name() != Some("target".as_ref()) {
                found.extend(sources(&path));
            }
        } else if path.extension() == Some("rs".as_ref()) {
            let text = fs::read_to_string(&path).expect("a source is text");
            found.push((path, text));
        }
    }
    found
}

/// The source with its comments taken out; strings stay.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
            continue;
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").map_or("", |(_, behind)| behind);
            continue;
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            3
        } else if first == '"' {
            string_length(rest)
        } else {
            first.len_utf8()
        };
        code.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    code
}

/// Bytes of the string literal that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|part| !part.is_empty())
}

/// The words of an identifier, in small letters.
fn words(identifier: &str) -> impl Iterator<Item = String> {
    let mut list = vec![String::new()];
    let mut was_small = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && was_small) {
            list.push(String::new());
        }
        if c != '_' {
            list.last_mut().expect("never empty").extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    list.into_iter().filter(|word| !word.is_empty())
}
