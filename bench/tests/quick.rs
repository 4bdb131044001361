//! The benchmark runs to its end and leaves nothing behind. Its figures are not looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn run(arguments: &[&str], directory: &Path) -> Value {
    let json = directory.join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_klamm-bench"))
        .args(arguments)
        .args(["--quick", "--rounds", "1", "--mib", "1"])
        .arg("--directory")
        .arg(directory)
        .arg("--json")
        .arg(&json)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let figures = fs::read_to_string(&json).expect("figures are written");
    fs::remove_file(json).expect("it is there");
    assert_eq!(fs::read_dir(directory).expect("a directory").count(), 0, "nothing is left behind");
    serde_json::from_str(&figures).expect("JSON")
}

#[test]
fn every_subject_is_measured() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-quick");
    fs::create_dir_all(&directory).expect("a directory");
    let figures = run(&["core", "codec", "produce", "--only", "1 KiB, acks=1"], &directory);
    let rows = |at: usize| figures["tables"][at]["rows"].as_array().expect("rows").clone();
    let (core, codec, produce) = (rows(0), rows(1), rows(2));
    assert!(core.iter().all(|row| row["requests/s"]["median"].as_f64() > Some(0.0)));
    assert_eq!((core.len(), codec.len()), (12, 16));
    let who: Vec<&str> = produce.iter().filter_map(|row| row["who"].as_str()).collect();
    assert_eq!(
        who,
        [
            "bare write",
            "bare sync-each",
            "std page-cache",
            "std durable",
            "smol page-cache",
            "smol durable",
        ]
    );
    assert!(produce.iter().all(|row| row["MB/s"]["median"].as_f64() > Some(0.0)));
}

#[test]
fn every_kind_of_client_is_measured() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-clients");
    fs::create_dir_all(&directory).expect("a directory");
    let suites = ["latency", "fetch", "fairness", "idle", "partitions"];
    let figures = run(&suites, &directory);
    assert_eq!(figures["failures"], Value::Array(Vec::new()));
    let rows = |at: usize| figures["tables"][at]["rows"].as_array().expect("rows").clone();
    let tell = |at: usize, column: &str| {
        let told = rows(at);
        let is_positive = |row: &&Value| row[column]["median"].as_f64() > Some(0.0);
        assert_eq!(told.iter().find(|row| !is_positive(row)), None, "{}: {column}", suites[at]);
        told.len()
    };
    assert_eq!((tell(0, "p99 us"), tell(1, "MB/s"), tell(2, "requests/s")), (14, 16, 8));
    assert_eq!((tell(3, "RSS MiB"), tell(4, "open files")), (2, 8));
}

#[test]
fn compaction_is_measured_where_its_logs_are_what_they_must_be() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-compaction");
    fs::create_dir_all(&directory).expect("a directory");
    // Not all loads: Klamm compacts nothing before its checkpoint of some seconds says that it is synced.
    let rows = |suite: &str, only: &str| {
        let figures = run(&[suite, "--against", "std", "--only", only], &directory);
        figures["tables"][0]["rows"].as_array().expect("rows").clone()
    };
    let [cleaned] = &rows("cleaning", "100 B, lz4")[..] else { panic!("one load") };
    assert!(cleaned["MB/s"]["median"].as_f64() > Some(0.0));
    // Of four records with one key one stays.
    let left = cleaned["bytes after/before"]["median"].as_f64().expect("a share");
    assert!((0.2..0.6).contains(&left), "{left}");
    let windows = rows("disturbance", "durable");
    let compaction: Vec<_> = windows.iter().filter_map(|row| row["compaction"].as_str()).collect();
    assert_eq!(compaction, ["none", "64 MiB/s", "no limit"]);
    assert!(windows.iter().all(|row| row["p99 us"]["median"].as_f64() > Some(0.0)));
    let has_speed = windows.iter().map(|row| row["compacted MB/s"]["median"].as_f64() > Some(0.0));
    assert_eq!(has_speed.collect::<Vec<_>>(), [false, true, true]);
}
