//! A real client beside the model ones: a program that works against the server in all of its lives, and tells
//! what it does, a line an event (see `tests/clients/crowd/history.py`).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use klamm_core::ids::Uuid;
use klamm_sim::history::{AppendId, Entry, Question, QuestionId, SeenRecord, Told, TopicPartition};
use rustix::time::{ClockId, clock_gettime};

/// The program, while it works.
#[derive(Debug)]
pub(super) struct Outside {
    child: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    /// The monotonic clock when the trial began.
    begun_nanos: u64,
    questions: u64,
}

/// An answer to a command takes no longer, a last look at everything included.
const PATIENCE: Duration = Duration::from_mins(2);

/// Questions that nobody else has asked.
const FIRST_QUESTION: u64 = 1 << 40;

impl Outside {
    /// Starts the program, which finds the server on `port`, writes to some topics and reads others; each
    /// with its number of partitions.
    pub(super) fn start(program: &str, port: u16, written: &str, read: &str) -> Self {
        let mut child = Command::new(program)
            .env("BOOTSTRAP", format!("127.0.0.1:{port}"))
            .env("WRITE", written)
            .env("READ", read)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let (commands, stdout) = (child.stdin.take(), child.stdout.take());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout.expect("piped")).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            commands: commands.expect("piped"),
            lines,
            begun_nanos: nanos(),
            questions: FIRST_QUESTION,
        }
    }

    /// From now on its times are counted as others count theirs, who are at `now_micros`.
    pub(super) fn set_clock(&mut self, now_micros: u64) {
        self.begun_nanos = nanos().saturating_sub(now_micros * 1000);
    }

    /// What it has told since the last call.
    pub(super) fn take_told(&mut self) -> Result<Vec<(u64, Entry)>, String> {
        self.told_until("mark\n", "M")
    }

    /// The same, up to its end: it has no more to write, and has read everything.
    pub(super) fn finish(&mut self) -> Result<Vec<(u64, Entry)>, String> {
        self.told_until("end\n", "E")
    }

    fn told_until(&mut self, command: &str, last: &str) -> Result<Vec<(u64, Entry)>, String> {
        let sent = self.commands.write_all(command.as_bytes());
        sent.map_err(|error| format!("the client outside: {error}"))?;
        let mut entries = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.map_err(|error| format!("the client outside: {error}"))?;
            if line == last {
                return Ok(entries);
            }
            let told = self.read(&line).ok_or_else(|| format!("the client outside: {line:?}"))?;
            entries.extend(told);
        }
    }

    fn read(&mut self, line: &str) -> Option<Vec<(u64, Entry)>> {
        let words: Vec<&str> = line.split(' ').collect();
        let (kind, rest) = words.split_first()?;
        let (at, rest) = rest.split_first()?;
        let micros = at.parse::<u64>().ok()?.saturating_sub(self.begun_nanos) / 1000;
        let entries = match (*kind, rest) {
            ("S", [append, topic, partition, record, millis]) => vec![Entry::Invoke {
                append: AppendId(append.parse().ok()?),
                client: usize::MAX,
                target: target(topic, partition)?,
                records: vec![record.parse().ok()?],
                keyed: false,
                sent_ms: millis.parse().ok()?,
                sequence: None,
                by_name: false,
            }],
            ("A", [append, offset]) => vec![Entry::Ok {
                append: AppendId(append.parse().ok()?),
                base_offset: offset.parse().ok()?,
                append_ms: -1,
            }],
            ("L", [append]) => vec![Entry::Unknown { append: AppendId(append.parse().ok()?) }],
            ("P", [topic, partition, from, records @ ..]) => {
                self.questions += 1;
                let question = QuestionId(self.questions);
                let (target, from) = (target(topic, partition)?, from.parse().ok()?);
                let records = records.iter().map(|record| seen(record)).collect::<Option<_>>()?;
                let what = Question::Fetch { from };
                vec![
                    Entry::Asked { question, target, what, by_name: false },
                    Entry::Told { question, told: Told::Polled(records) },
                ]
            }
            _ => return None,
        };
        Some(entries.into_iter().map(|entry| (micros, entry)).collect())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // It has ended by itself, or is of no use any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target(topic: &str, partition: &str) -> Option<TopicPartition> {
    Some(TopicPartition::new(topic, Uuid::ZERO, partition.parse().ok()?))
}

/// `OFFSET:RECORD:MILLIS:KEY`.
fn seen(text: &str) -> Option<SeenRecord> {
    let mut parts = text.split(':');
    let (offset, record) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (timestamp_ms, key) = (parts.next()?.parse().ok()?, parts.next()?);
    let digits = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    let key: Option<Vec<u8>> = key.as_bytes().chunks(2).map(digits).collect();
    let (key, append_time, codec) = (key?.into(), false, 0);
    Some(SeenRecord { offset, record, key, timestamp_ms, append_time, codec })
}

fn nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
