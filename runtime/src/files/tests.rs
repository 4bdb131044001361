use std::path::{Path as StdPath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use klamm_core::ids::{FileId, JobId};

/// A directory of its own for one test, removed with it.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("klamm-runtime-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &StdPath {
        &self.0
    }

    fn join(&self, name: &str) -> Path {
        Path::new(self.0.to_str().unwrap()).join(name)
    }

    fn file(&self, number: u64, name: &str) -> FileRef {
        FileRef { id: FileId { owner: JobId::BROKER, number }, path: self.join(name) }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn write(file: &FileRef, position: u64, pieces: &[&'static str]) -> Operation {
    let data = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    Operation::Write { file: file.clone(), position, data }
}

fn read(files: &Files, file: &FileRef, position: u64, length: u32) -> String {
    let operation = Operation::Read { file: file.clone(), position, length };
    match files.perform(&operation).unwrap() {
        OperationResult::Read(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("a read gave {other:?}"),
    }
}

fn content(path: &Path) -> String {
    fs::read_to_string(path_of(path)).unwrap()
}

#[test]
fn writes_may_come_in_any_order_and_create_their_file() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let file = dir.file(0, "a");
    files.perform(&write(&file, 6, &["wo", "", "rld"])).unwrap();
    files.perform(&write(&file, 0, &["", "hello", " "])).unwrap();
    files.perform(&write(&file, 3, &[])).unwrap();
    assert_eq!(content(&file.path), "hello world");
    assert_eq!(read(&files, &file, 6, 100), "world");
    assert_eq!(read(&files, &file, 2, 3), "llo");
    assert_eq!(read(&files, &file, 50, 3), "");
}

#[test]
fn writes_of_many_threads_to_one_file_all_arrive() {
    let (dir, files) = (TempDir::new(), Files::new(2));
    let file = dir.file(0, "a");
    std::thread::scope(|scope| {
        for n in 0..8_u64 {
            let (files, file) = (&files, &file);
            scope.spawn(move || {
                for i in (0..50).rev() {
                    let byte = Bytes::from(vec![b'a' + n as u8; 16]);
                    let position = (n * 50 + i) * 16;
                    let data = vec![byte];
                    let write = Operation::Write { file: file.clone(), position, data };
                    files.perform(&write).unwrap();
                }
            });
        }
    });
    let expected: String = ('a'..='h').map(|c| c.to_string().repeat(800)).collect();
    assert_eq!(content(&file.path), expected);
}

#[test]
fn more_pieces_than_one_call_takes_are_written() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let file = dir.file(0, "a");
    let data = vec![Bytes::from_static(b"xy"); 2 * PIECES_MAX + 1];
    files.perform(&Operation::Write { file: file.clone(), position: 0, data }).unwrap();
    assert_eq!(content(&file.path).len(), 4 * PIECES_MAX + 2);
}

#[test]
fn ids_follow_renames_of_their_file_and_of_directories_above() {
    let (dir, files) = (TempDir::new(), Files::new(1));
    files.perform(&Operation::MakeDirectory(dir.join("t-0"))).unwrap();
    files.perform(&Operation::MakeDirectory(dir.join("t-0-x"))).unwrap();
    let (inside, beside) = (dir.file(0, "t-0/log"), dir.file(1, "t-0-x/log"));
    for file in [&inside, &beside] {
        files.perform(&write(file, 0, &["one"])).unwrap();
        files.perform(&Operation::Sync(file.clone())).unwrap();
    }
    let (from, to) = (dir.join("t-0"), dir.join("t-0.gone"));
    files.perform(&Operation::Rename { from, to: to.clone() }).unwrap();
    let (from, to) = (to.join("log"), to.join("log.deleted"));
    files.perform(&Operation::Rename { from, to: to.clone() }).unwrap();
    // The limit of one open file makes each of these open its file anew.
    assert_eq!(read(&files, &beside, 0, 3), "one");
    assert_eq!(read(&files, &inside, 0, 3), "one");
    files.perform(&write(&inside, 3, &[" two"])).unwrap();
    assert_eq!(content(&to), "one two");
    assert_eq!(content(&beside.path), "one");
}

#[test]
fn rename_over_a_file_forgets_the_old_one() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let (old, new) = (dir.file(0, "checkpoint"), dir.file(1, "checkpoint.tmp"));
    files.perform(&write(&old, 0, &["old"])).unwrap();
    files.perform(&write(&new, 0, &["new"])).unwrap();
    let (from, to) = (new.path.clone(), old.path.clone());
    files.perform(&Operation::Rename { from, to }).unwrap();
    assert_eq!(read(&files, &new, 0, 9), "new");
    assert_eq!(read(&files, &old, 0, 9), "new");
}

#[test]
fn files_with_unsynced_writes_stay_open_and_others_are_closed_when_long_unused() {
    let (dir, files) = (TempDir::new(), Files::new(2));
    let all: Vec<_> = (0..5).map(|n| dir.file(n, &format!("f{n}"))).collect();
    for file in &all {
        files.perform(&write(file, 0, &["x"])).unwrap();
    }
    assert_eq!(files.handles.open_count(), 5);
    for file in &all {
        files.perform(&Operation::Sync(file.clone())).unwrap();
    }
    files.perform(&write(&all[0], 1, &["y"])).unwrap();
    let sixth = dir.file(5, "f5");
    files.perform(&write(&sixth, 0, &["z"])).unwrap();
    assert_eq!(files.handles.open_count(), 2, "the two unsynced ones");
    // Closed ones are opened again by need.
    assert_eq!(read(&files, &all[3], 0, 2), "x");
    assert_eq!(read(&files, &all[0], 0, 2), "xy");
    assert_eq!(files.handles.open_count(), 3);
}

#[test]
fn a_file_is_not_closed_to_make_room_for_itself() {
    let (dir, files) = (TempDir::new(), Files::new(1));
    let (one, other) = (dir.file(0, "a"), dir.file(1, "b"));
    files.perform(&write(&other, 0, &["x"])).unwrap();
    files.perform(&write(&one, 0, &["y"])).unwrap();
    files.perform(&Operation::Sync(one.clone())).unwrap();
    // It alone may be closed, and there are too many.
    files.perform(&Operation::Create(one.clone())).unwrap();
    assert_eq!(content(&one.path), "");
    assert_eq!(files.handles.open_count(), 2);
}

#[test]
fn an_id_that_was_renamed_is_locked_where_it_is_and_stays_when_nothing_moves() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let file = dir.file(0, "a");
    files.perform(&write(&file, 0, &["x"])).unwrap();
    let (from, to) = (dir.join("a"), dir.join("b"));
    files.perform(&Operation::Rename { from, to: to.clone() }).unwrap();
    files.perform(&Operation::Rename { from: to.clone(), to: to.clone() }).unwrap();
    files.perform(&Operation::Lock(file.clone())).unwrap();
    files.perform(&write(&file, 1, &["y"])).unwrap();
    assert_eq!(content(&to), "xy");
    assert!(!path_of(&dir.join("a")).exists());
}

#[test]
fn a_write_during_a_sync_is_not_taken_for_synced() {
    let (dir, files) = (TempDir::new(), Files::new(1));
    let file = dir.file(0, "a");
    files.perform(&write(&file, 0, &["x"])).unwrap();
    let (_handle, mark) = files.handles.syncing(&file).unwrap();
    files.perform(&write(&file, 1, &["y"])).unwrap();
    files.handles.synced(&file, &mark);
    let other = dir.file(1, "b");
    files.perform(&write(&other, 0, &["z"])).unwrap();
    assert_eq!(files.handles.open_count(), 2, "both have unsynced writes");
}

#[test]
fn create_cuts_and_set_length_cuts_or_extends() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let file = dir.file(0, "a");
    files.perform(&write(&file, 0, &["hello"])).unwrap();
    files.perform(&Operation::SetLength { file: file.clone(), length: 2 }).unwrap();
    assert_eq!(content(&file.path), "he");
    let opened = files.perform(&Operation::Open(file.clone())).unwrap();
    assert_eq!(opened, OperationResult::Opened(2));
    files.perform(&Operation::Sync(file.clone())).unwrap();
    files.perform(&Operation::Create(file.clone())).unwrap();
    assert_eq!(content(&file.path), "");
    files.perform(&write(&file, 0, &["new"])).unwrap();
    assert_eq!(content(&file.path), "new");
}

#[test]
fn errors_name_the_path_and_say_what_the_system_says() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let missing = dir.file(0, "missing");
    for operation in [
        Operation::Open(missing.clone()),
        Operation::Read { file: missing.clone(), position: 0, length: 1 },
        Operation::Unlink(missing.path.clone()),
        Operation::List(missing.path.clone()),
        Operation::SetLength { file: missing.clone(), length: 1 },
    ] {
        let error = files.perform(&operation).unwrap_err();
        assert_eq!(error.path, missing.path, "{operation:?}");
        assert_eq!(error.kind, IoErrorKind::NotFound, "{operation:?}");
        assert!(error.message.contains("No such file"), "{}", error.message);
    }
    let full = FileRef { path: Path::new("/dev/full"), ..dir.file(1, "") };
    let error = files.perform(&write(&full, 0, &["x"])).unwrap_err();
    assert_eq!(error.kind, IoErrorKind::NoSpace);
}

#[test]
fn an_unlinked_file_is_forgotten_so_that_its_name_can_be_used_again() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let (old, new) = (dir.file(0, "a"), dir.file(1, "a"));
    files.perform(&write(&old, 0, &["old"])).unwrap();
    files.perform(&Operation::Unlink(old.path.clone())).unwrap();
    assert_eq!(files.handles.open_count(), 0);
    files.perform(&write(&new, 0, &["n"])).unwrap();
    assert_eq!(content(&new.path), "n");
}

#[test]
fn directories_are_made_with_parents_listed_in_order_synced_and_removed() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let inner = dir.join("x/y");
    files.perform(&Operation::MakeDirectory(inner.clone())).unwrap();
    files.perform(&Operation::MakeDirectory(inner.clone())).unwrap();
    files.perform(&write(&dir.file(0, "x/b"), 0, &["four"])).unwrap();
    files.perform(&write(&dir.file(1, "x/a"), 0, &["1"])).unwrap();
    files.perform(&Operation::SyncDirectory(dir.join("x"))).unwrap();
    let OperationResult::Listed(entries) = files.perform(&Operation::List(dir.join("x"))).unwrap()
    else {
        panic!("a listing lists");
    };
    let seen: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.kind, e.length)).collect();
    let expected =
        [("a", EntryKind::File, 1), ("b", EntryKind::File, 4), ("y", EntryKind::Directory, 0)];
    assert_eq!(seen, expected);
    assert!(entries.iter().all(|entry| entry.modified_ms > 1_600_000_000_000));
    files.perform(&Operation::RemoveDirectory(inner.clone())).unwrap();
    assert!(!path_of(&inner).exists());
}

#[test]
fn room_is_that_of_the_file_system() {
    let (dir, files) = (TempDir::new(), Files::new(8));
    let space = files.perform(&Operation::Space(dir.join("."))).unwrap();
    let OperationResult::Space(space) = space else { panic!("{space:?}") };
    assert!(space.usable_bytes > 0 && space.usable_bytes <= space.total_bytes, "{space:?}");
    let missing = files.perform(&Operation::Space(dir.join("none"))).unwrap_err();
    assert_eq!(missing.kind, IoErrorKind::NotFound);
}

#[test]
fn lock_is_refused_to_a_second_broker_of_this_process_until_it_is_closed() {
    let dir = TempDir::new();
    let (first, second) = (Files::new(8), Files::new(8));
    let file = dir.file(0, ".lock");
    first.perform(&Operation::Lock(file.clone())).unwrap();
    let error = second.perform(&Operation::Lock(file.clone())).unwrap_err();
    assert_eq!((error.kind, &error.path), (IoErrorKind::Locked, &file.path));
    first.perform(&Operation::Close(file.clone())).unwrap();
    second.perform(&Operation::Lock(file.clone())).unwrap();
    drop(second);
    first.perform(&Operation::Lock(file)).unwrap();
}

#[test]
fn lock_is_refused_to_another_process() {
    let dir = TempDir::new();
    let files = Files::new(8);
    let file = dir.file(0, ".lock");
    files.perform(&Operation::Lock(file.clone())).unwrap();
    let script =
        "import fcntl,sys\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB)";
    let child = std::process::Command::new("python3")
        .args(["-c", script, file.path.as_str()])
        .stderr(std::process::Stdio::null())
        .status();
    // Without a Python the other process is not there to ask.
    if let Ok(status) = child {
        assert!(!status.success(), "fcntl must refuse the lock");
    }
}
