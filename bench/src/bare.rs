//! The bare loop: bytes from a socket into a file, and a few bytes back for each frame. What any
//! broker has to do at least.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use crate::process::say_ready;

/// When the file is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Never.
    Never,
    /// After each 4 MiB, and answered before.
    Sometimes,
    /// Before each answer, once for all that one read has brought: what a durable broker does.
    BeforeAnswer,
}

impl Sync {
    pub(crate) const NAMES: &[(&str, Self)] = &[
        ("write", Self::Never),
        ("sync-4mib", Self::Sometimes),
        ("sync-each", Self::BeforeAnswer),
    ];

    pub(crate) fn name(self) -> &'static str {
        let known = Self::NAMES.iter().find(|(_, other)| *other == self);
        known.expect("each is in the table").0
    }
}

const READ_BYTES: usize = 1 << 20;
const SYNC_BYTES: usize = 4 << 20;

/// Serves each connection with a file of its own in `directory`, until standard input ends.
pub(crate) fn run(sync: Sync, directory: &Path) -> Result<(), String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(said)?;
    let port = listener.local_addr().map_err(said)?.port();
    let directory = directory.to_owned();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let file = File::create(directory.join(format!("{number}.log")));
            thread::spawn(move || {
                if let Err(error) = file.and_then(|file| serve(stream?, file, sync)) {
                    eprintln!("bare loop: {error}");
                }
            });
        }
    });
    say_ready(port)?;
    // Its end is all that is waited for, and a failure is one.
    io::stdin().read_to_end(&mut Vec::new()).ok();
    Ok(())
}

fn serve(mut stream: TcpStream, mut file: File, sync: Sync) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    let mut frames = Frames::default();
    let mut unsynced = 0;
    let mut answers = Vec::new();
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        file.write_all(&buffer[..count])?;
        unsynced += count;
        answers.clear();
        let first = frames.ended;
        frames.pass(&buffer[..count]);
        for number in first..frames.ended {
            answers.extend_from_slice(&[0, 0, 0, 4]);
            answers.extend_from_slice(&number.to_be_bytes());
        }
        let is_due = match sync {
            Sync::Never => false,
            Sync::Sometimes => unsynced >= SYNC_BYTES,
            Sync::BeforeAnswer => !answers.is_empty(),
        };
        if is_due && sync == Sync::BeforeAnswer {
            file.sync_data()?;
        }
        stream.write_all(&answers)?;
        if is_due && sync == Sync::Sometimes {
            file.sync_data()?;
        }
        if is_due {
            unsynced = 0;
        }
    }
}

/// Counts the frames that have passed whole.
#[derive(Default)]
struct Frames {
    ended: i32,
    /// Bytes of the size prefix that have come, and its value so far.
    prefix: (usize, u32),
    /// Bytes of the frame's body that are still to come.
    body: usize,
}

impl Frames {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.body == 0 {
                let (count, value) = self.prefix;
                self.prefix = (count + 1, value << 8 | u32::from(*first));
                bytes = rest;
                if self.prefix.0 == 4 {
                    self.body = self.prefix.1 as usize;
                    self.prefix = (0, 0);
                }
                continue;
            }
            let step = self.body.min(bytes.len());
            bytes = &bytes[step..];
            self.body -= step;
            self.ended += i32::from(self.body == 0);
        }
    }
}

fn said(error: io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::Frames;

    #[test]
    fn frames_are_counted_in_pieces_of_any_size() {
        let bytes = [&[0, 0, 0, 1, 9][..], &[0, 0, 1, 0], &[7; 256], &[0, 0, 0, 2, 1]].concat();
        for piece in [1, 3, 5, 100, bytes.len()] {
            let mut frames = Frames::default();
            bytes.chunks(piece).for_each(|piece| frames.pass(piece));
            assert_eq!((frames.ended, frames.body), (2, 1));
        }
    }
}
