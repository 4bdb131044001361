//! The log files of a subject, and whether memory or the disk holds them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate, syncfs};

use crate::batches::TOPIC;

/// Writes what their file system holds to its disk.
pub(crate) fn write_back(logs: &Path) -> Result<(), String> {
    let written = File::open(logs).and_then(|directory| Ok(syncfs(directory)?));
    written.map_err(|error| format!("{}: {error}", logs.display()))
}

/// Lets the page cache forget them. What is not written to the disk yet it would keep, so all is written.
pub(crate) fn forget(logs: &Path) -> Result<(), String> {
    write_back(logs)?;
    each(logs, |file| Ok(fadvise(&file, 0, None, Advice::DontNeed)?))
}

/// A batch is not longer. Kafka looks at the last one when it moves a high watermark.
const KEPT_BYTES: u64 = 1 << 20;

/// Lets the page cache and the disk forget what they hold, which nobody will read: the files keep their
/// length and their last batch, and a long run its room.
pub(crate) fn discard(logs: &Path) -> Result<(), String> {
    each(logs, |file| {
        let length = file.metadata()?.len().saturating_sub(KEPT_BYTES);
        if length > 0 {
            let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            fallocate(&file, hole, 0, length)?;
        }
        Ok(())
    })
}

/// Reads them, so that the page cache holds them.
pub(crate) fn remember(logs: &Path) -> Result<(), String> {
    each(logs, |mut file| io::copy(&mut file, &mut io::sink()).map(drop))
}

/// Their bytes.
pub(crate) fn stored(logs: &Path) -> Result<u64, String> {
    let mut bytes = 0;
    each(logs, |file| {
        bytes += file.metadata()?.len();
        Ok(())
    })?;
    Ok(bytes)
}

/// What retention takes meanwhile is passed over.
fn each(logs: &Path, mut work: impl FnMut(File) -> io::Result<()>) -> Result<(), String> {
    for path in log_files(logs)? {
        match File::options().read(true).write(true).open(&path).and_then(&mut work) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The files of records in a directory, and in the directories of [`TOPIC`]'s partitions that lie in it; in
/// the order of their names.
pub(crate) fn log_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let said = |error: io::Error| format!("{}: {error}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(said)? {
        let path = entry.map_err(said)?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            files.push(path);
        } else if is_partition(&path) {
            files.extend(log_files(&path)?);
        }
    }
    files.sort();
    Ok(files)
}

/// `bench-7`; what is about to be deleted has another name.
fn is_partition(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let index = name.strip_prefix(TOPIC).and_then(|rest| rest.strip_prefix('-'));
    index.is_some_and(|index| index.parse::<i32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_discarded_keeps_its_length_and_its_end() {
        const LENGTH: usize = 2 << 20;
        let directory = std::env::temp_dir().join(format!("klamm-discard-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("0.log"), vec![7; LENGTH]).expect("a file");
        discard(&directory).expect("a file system with holes");
        assert_eq!(stored(&directory), Ok(LENGTH as u64));
        let left = fs::read(directory.join("0.log")).expect("the file");
        fs::remove_dir_all(&directory).expect("it is there");
        let (gone, kept) = left.split_at(LENGTH - KEPT_BYTES as usize);
        assert!(gone.iter().all(|byte| *byte == 0) && kept.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn partitions_are_known_by_their_names() {
        let found = ["bench-0", "bench-12", "bench-0.1f-delete", "__cluster_metadata-0", "bench"]
            .map(|name| is_partition(Path::new(name)));
        assert_eq!(found, [true, true, false, false, false]);
    }
}
