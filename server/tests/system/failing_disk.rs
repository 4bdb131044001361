//! Disks that fill up, are read-only, or go away under the server: who waits is told, the other log
//! directory serves on, and on the repaired disk everything that was acknowledged is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Client, Reader};
use crate::directory::{Directory, Topic, segment_in, unused_path};
use crate::encode::{Bytes, batch_of, placed};
use crate::mount::Mount;
use crate::process::{Server, run_to_end};

const FIRST: Topic = Topic { name: "one", id: 0x11, partitions: 2 };
const SECOND: Topic = Topic { name: "two", id: 0x22, partitions: 2 };

const STORAGE_ERROR: i16 = 56;

/// Far beyond what the checkpoint takes to find its directory gone.
const PATIENCE: Duration = Duration::from_secs(30);

on_each_driver! {
    a_full_disk_takes_its_directory_offline_alone,
    a_full_disk_of_the_metadata_ends_the_server,
    a_read_only_directory_is_offline_from_the_start,
    a_directory_that_goes_away_is_offline_and_comes_back_whole,
    a_directory_that_goes_away_is_missed_by_its_checkpoint,
    the_directory_of_the_metadata_that_goes_away_ends_the_server,
    a_segment_that_cannot_be_written_takes_its_directory_offline,
}

fn a_full_disk_takes_its_directory_offline_alone(driver: &str) {
    let Some(disk) = Mount::new(256) else { return };
    let directory = Directory::with_second(&[FIRST], disk.path(), &[SECOND]);
    let server = Server::start(&directory.properties(), driver);
    let mut writer = Writer::new(&server, 16 << 10);
    writer.must_take(FIRST, 0);
    let taken = (0..100).take_while(|_| writer.write(SECOND, 0) == 0).count();
    assert!((4..20).contains(&taken), "{taken} of 16 KiB went into 256 KiB");
    assert_eq!(writer.write(SECOND, 1), STORAGE_ERROR, "offline, all of it");
    writer.must_take(FIRST, 0);
    let log = stop(server);
    assert_said(&log, disk.path(), "two-0/00000000000000000000.log: No space left on device");

    disk.remount("size=4m");
    let log = writer.go_on(&directory, driver, &[(FIRST, 0), (SECOND, 0), (SECOND, 1)]);
    assert!(!log.iter().any(|line| line.contains("offline")), "{log:#?}");
    writer.check(&directory.logs(), FIRST);
    writer.check(disk.path(), SECOND);
}

fn a_full_disk_of_the_metadata_ends_the_server(driver: &str) {
    let Some(disk) = Mount::new(512) else { return };
    let directory = Directory::below(disk.path(), &[FIRST]);
    let server = Server::start(&directory.properties(), driver);
    let mut writer = Writer::new(&server, 16 << 10);
    let mut answers = writer.pipeline(FIRST, 0, 100);
    let taken = answers.iter().take_while(|error| **error == 0).count();
    let refused = answers.split_off(taken);
    assert!(taken > 4, "{taken} of 16 KiB went into 512 KiB");
    assert!(!refused.is_empty(), "who waits is told");
    assert!(refused.iter().all(|error| *error == STORAGE_ERROR), "{refused:?}");
    let reason = "one-0/00000000000000000000.log: No space left on device (os error 28)";
    assert_failed(server, &directory.logs(), reason);

    disk.remount("size=4m");
    writer.go_on(&directory, driver, &[(FIRST, 0), (FIRST, 1)]);
    writer.check(&directory.logs(), FIRST);
}

fn a_read_only_directory_is_offline_from_the_start(driver: &str) {
    let Some(disk) = Mount::new(1024) else { return };
    let directory = Directory::with_second(&[FIRST], disk.path(), &[SECOND]);
    let server = Server::start(&directory.properties(), driver);
    let mut writer = Writer::new(&server, 100);
    writer.must_take(SECOND, 0);
    stop(server);

    disk.remount("ro");
    let server = Server::start(&directory.properties(), driver);
    writer.client = Client::connect(server.port);
    assert_eq!(writer.write(SECOND, 0), STORAGE_ERROR);
    writer.must_take(FIRST, 0);
    assert_said(&stop(server), disk.path(), ".lock: Read-only file system");

    // As the only one, and so that of the metadata, it ends the server.
    let properties = directory.properties();
    directory.set("log.dirs", &disk.path().display().to_string());
    let output = run_to_end(&[properties.to_str().expect("text"), "--driver", driver]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    let path = disk.path().display();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(
        last,
        format!(
            "klamm: log directory {path} failed: {path}/.lock: Read-only file system (os error 30)"
        )
    );

    disk.remount("rw");
    directory.set("log.dirs", &format!("{},{path}", directory.logs().display()));
    writer.go_on(&directory, driver, &[(FIRST, 0), (SECOND, 0)]);
    writer.check(&directory.logs(), FIRST);
    writer.check(disk.path(), SECOND);
}

fn a_directory_that_goes_away_is_offline_and_comes_back_whole(driver: &str) {
    let (second, directory, server, mut writer) = start_on_two(driver);
    writer.must_take(SECOND, 0);
    second.move_away();
    // Its first record makes its file; those of the other go into a file that is open already.
    assert_eq!(writer.write(SECOND, 1), STORAGE_ERROR);
    assert_eq!(writer.write(SECOND, 0), STORAGE_ERROR);
    writer.must_take(FIRST, 0);
    assert_said(&stop(server), &second.path, "No such file or directory");

    second.bring_back();
    writer.go_on(&directory, driver, &[(FIRST, 0), (SECOND, 0), (SECOND, 1)]);
    writer.check(&directory.logs(), FIRST);
    writer.check(&second.path, SECOND);
}

fn a_directory_that_goes_away_is_missed_by_its_checkpoint(driver: &str) {
    let (second, directory, server, mut writer) = start_on_two(driver);
    writer.must_take(SECOND, 0);
    second.move_away();
    let begun = Instant::now();
    while writer.write(SECOND, 0) == 0 {
        assert!(begun.elapsed() < PATIENCE, "nobody misses it");
        thread::sleep(Duration::from_millis(50));
    }
    writer.must_take(FIRST, 0);
    assert_said(&stop(server), &second.path, "-checkpoint.tmp: No such file");

    second.bring_back();
    writer.go_on(&directory, driver, &[(FIRST, 0), (SECOND, 0)]);
    writer.check(&second.path, SECOND);
}

fn the_directory_of_the_metadata_that_goes_away_ends_the_server(driver: &str) {
    let (second, directory, server, mut writer) = start_on_two(driver);
    writer.must_take(FIRST, 0);
    writer.must_take(SECOND, 0);
    let away = directory.logs().with_extension("away");
    fs::rename(directory.logs(), &away).expect("moved");
    assert_eq!(writer.write(FIRST, 1), STORAGE_ERROR, "told before the end");
    assert_failed(server, &directory.logs(), "No such file or directory (os error 2)");

    fs::rename(&away, directory.logs()).expect("moved back");
    writer.go_on(&directory, driver, &[(FIRST, 0), (FIRST, 1), (SECOND, 0)]);
    writer.check(&directory.logs(), FIRST);
    writer.check(&second.path, SECOND);
}

fn a_segment_that_cannot_be_written_takes_its_directory_offline(driver: &str) {
    let (second, directory, server, mut writer) = start_on_two(driver);
    writer.must_take(SECOND, 0);
    let obstacle = segment_in(&second.path, SECOND.name, 1);
    fs::create_dir(&obstacle).expect("made");
    assert_eq!(writer.write(SECOND, 1), STORAGE_ERROR);
    assert_eq!(writer.write(SECOND, 0), STORAGE_ERROR);
    writer.must_take(FIRST, 0);
    assert_said(&stop(server), &second.path, "two-1/00000000000000000000.log: Is a directory");

    fs::remove_dir(&obstacle).expect("removed");
    writer.go_on(&directory, driver, &[(FIRST, 0), (SECOND, 0), (SECOND, 1)]);
    writer.check(&second.path, SECOND);
}

/// A stop by signal, which is clean with a directory offline too; what the server said.
fn stop(server: Server) -> Vec<String> {
    server.signal(Signal::TERM);
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log:#?}");
    log
}

/// The log has one line about the directory.
fn assert_said(log: &[String], directory: &Path, reason: &str) {
    let begin = format!("log directory {} is offline until restart: ", directory.display());
    let lines: Vec<&String> = log.iter().filter(|line| line.contains(&begin)).collect();
    assert!(lines.len() == 1 && lines[0].contains(reason), "{reason}: {log:#?}");
}

/// The server ends with exit code 1, and its last line names directory, file and error.
fn assert_failed(server: Server, directory: &Path, reason: &str) {
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(1), "{log:#?}");
    let last = log.last().expect("a line");
    let path = directory.display();
    assert!(last.starts_with(&format!("klamm: log directory {path} failed: {path}/")), "{last}");
    assert!(last.ends_with(reason), "{last}");
}

/// A server with a second log directory that can be moved away, and who writes to it.
fn start_on_two(driver: &str) -> (Place, Directory, Server, Writer) {
    let second = Place::new();
    let directory = Directory::with_second(&[FIRST], &second.path, &[SECOND]);
    let server = Server::start(&directory.properties(), driver);
    let writer = Writer::new(&server, 100);
    (second, directory, server, writer)
}

/// A log directory that can be moved away; removed when dropped.
struct Place {
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let path = unused_path(&std::env::temp_dir());
        fs::create_dir(&path).expect("made");
        Self { path }
    }

    fn away(&self) -> PathBuf {
        self.path.with_extension("away")
    }

    fn move_away(&self) {
        fs::rename(&self.path, self.away()).expect("moved");
    }

    fn bring_back(&self) {
        fs::rename(self.away(), &self.path).expect("moved back");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One of them, after a test that failed half-way.
        fs::remove_dir_all(self.away()).ok();
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Writes records of one size, and remembers what was acknowledged.
struct Writer {
    client: Client,
    value_bytes: usize,
    sent: u64,
    /// Topic, partition, offset, and the batch as it was sent.
    acknowledged: Vec<(&'static str, i32, i64, Vec<u8>)>,
}

impl Writer {
    fn new(server: &Server, value_bytes: usize) -> Self {
        let client = Client::connect(server.port);
        Self { client, value_bytes, sent: 0, acknowledged: Vec::new() }
    }

    fn must_take(&mut self, topic: Topic, partition: i32) {
        assert_eq!(self.write(topic, partition), 0, "{}-{partition}", topic.name);
    }

    /// Writes a record; the error code of its answer.
    fn write(&mut self, topic: Topic, partition: i32) -> i16 {
        let answers = self.pipeline(topic, partition, 1);
        *answers.first().expect("an answer")
    }

    /// Writes records without waiting; the error codes of the answers that come.
    fn pipeline(&mut self, topic: Topic, partition: i32, count: usize) -> Vec<i16> {
        let mut batches = Vec::new();
        for _ in 0..count {
            self.sent += 1;
            let value = format!("{:0width$}", self.sent, width = self.value_bytes);
            let batch = batch_of(&[value.as_bytes()]);
            // It may have closed already, with answers under way.
            if self.client.send(0, 11, &request(topic, partition, &batch)).is_err() {
                break;
            }
            batches.push(batch);
        }
        let mut errors = Vec::new();
        for batch in batches {
            let Ok(Some(frame)) = self.client.receive() else { break };
            let mut reader = Reader(&frame);
            // Correlation id, tags, one topic, its name, one partition, its index.
            reader.skip(4 + 1 + 1 + 1 + topic.name.len() + 1 + 4);
            let (error, offset) = (reader.i16(), reader.i64());
            if error == 0 {
                self.acknowledged.push((topic.name, partition, offset, batch));
            }
            errors.push(error);
        }
        errors
    }

    /// A life on the repaired disk that takes one record for each of these; what the server said.
    fn go_on(
        &mut self,
        directory: &Directory,
        driver: &str,
        partitions: &[(Topic, i32)],
    ) -> Vec<String> {
        let server = Server::start(&directory.properties(), driver);
        self.client = Client::connect(server.port);
        for (topic, partition) in partitions {
            self.must_take(*topic, *partition);
        }
        stop(server)
    }

    /// Each acknowledged batch lies in the log where its offset says.
    fn check(&self, logs: &Path, topic: Topic) {
        for partition in 0..topic.partitions {
            let log = fs::read(segment_in(logs, topic.name, partition)).unwrap_or_default();
            let of_this = |(name, index, ..): &&(&str, i32, i64, Vec<u8>)| {
                (*name, *index) == (topic.name, partition)
            };
            for (_, _, offset, batch) in self.acknowledged.iter().filter(of_this) {
                // All batches are of one size and hold one record.
                let at = *offset as usize * batch.len();
                let mut found = log.get(at..at + batch.len()).unwrap_or_default().to_vec();
                // The epoch is that of the life in which it was written.
                if let Some(epoch) = found.get_mut(12..16) {
                    epoch.fill(0);
                }
                let expected = placed(batch, *offset, 0);
                assert!(found == expected, "{}-{partition} lost {offset}", topic.name);
            }
        }
    }
}

fn request(topic: Topic, partition: i32, batch: &[u8]) -> Bytes {
    Bytes::new()
        .raw(&[0])
        .i16(-1)
        .i32(30_000)
        .compact_array(1)
        .compact_string(topic.name)
        .compact_array(1)
        .i32(partition)
        .uvarint(batch.len() as u32 + 1)
        .raw(batch)
        .no_tags()
        .no_tags()
        .no_tags()
}
