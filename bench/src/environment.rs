//! Where the figures were taken.

use std::fs;
use std::path::Path;
use std::thread;

/// Name and value, for the head of a report.
pub(crate) fn describe(directory: &Path) -> Vec<(&'static str, String)> {
    let cores = thread::available_parallelism().map_or_else(|_| "?".into(), |n| n.to_string());
    let build = if cfg!(debug_assertions) { "debug: figures mean nothing" } else { "release" };
    vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("build", build.to_owned()),
        ("processor", format!("{} x {cores}", processor())),
        ("kernel", text("/proc/sys/kernel/osrelease")),
        ("file system", file_system(directory)),
        ("load at the start", load()),
    ]
}

/// The load averages of 1, 5 and 15 minutes: above 0 others were at work.
pub(crate) fn load() -> String {
    text("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn text(path: &str) -> String {
    fs::read_to_string(path).map_or_else(|_| "?".into(), |text| text.trim().to_owned())
}

fn processor() -> String {
    let info = text("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or("?", |(_, name)| name).to_owned()
}

/// The type of the file system that holds `directory`: of the mounts above it, the nearest.
fn file_system(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mounts = text("/proc/mounts");
    let above = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        directory.starts_with(point).then_some((point.len(), kind))
    });
    above.max_by_key(|(length, _)| *length).map_or("?", |(_, kind)| kind).to_owned()
}
