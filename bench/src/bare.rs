//! The bare loops: bytes from a socket into a file, and a few bytes back for each frame; or a frame from
//! a socket, and a piece of a file back. What any broker has to do at least.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::sendfile;

use crate::page_cache::log_files;
use crate::process::say_ready;
use crate::readers::PARTITION_BYTES;

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

/// Writes what each connection brings to a file of its own in `directory`, until standard input ends.
pub(crate) fn run(sync: Sync, directory: &Path) -> Result<(), String> {
    let directory = directory.to_owned();
    listen(move |number, stream| {
        let file = File::create(directory.join(format!("{number}.log")))?;
        serve(stream, file, sync)
    })
}

/// Sends the segments in `directory` one after the other, a piece for each frame that comes, until
/// standard input ends. Behind the last byte a piece is empty.
pub(crate) fn send(directory: &Path) -> Result<(), String> {
    let files = log_files(directory)?;
    listen(move |_, stream| send_files(stream, &files, PARTITION_BYTES as usize))
}

/// Serves each connection, with its number, by a thread of its own.
fn listen<F>(serve: F) -> Result<(), String>
where
    F: Fn(usize, TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(said)?;
    let port = listener.local_addr().map_err(said)?.port();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let serve = serve.clone();
            thread::spawn(move || {
                if let Err(error) = stream.and_then(|stream| serve(number, stream)) {
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

fn send_files(mut stream: TcpStream, files: &[PathBuf], piece_bytes: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; READ_BYTES];
    let mut frames = Frames::default();
    let mut files = files.iter().map(File::open);
    let mut current = None;
    let mut answered = 0;
    loop {
        let count = stream.read(&mut request)?;
        if count == 0 {
            return Ok(());
        }
        frames.pass(&request[..count]);
        while answered < frames.ended {
            answered += 1;
            let (file, length) = match current.take() {
                Some(open) => open,
                None => match files.next() {
                    Some(file) => measured(file?)?,
                    None => {
                        stream.write_all(&0_u32.to_be_bytes())?;
                        continue;
                    }
                },
            };
            let piece = length.min(piece_bytes as u64);
            stream.write_all(&(piece as u32).to_be_bytes())?;
            send_piece(&stream, &file, piece as usize)?;
            current = (length > piece).then_some((file, length - piece));
        }
    }
}

/// With its length.
fn measured(file: File) -> io::Result<(File, u64)> {
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Sends so many bytes from where the file stands.
fn send_piece(stream: &TcpStream, file: &File, mut length: usize) -> io::Result<()> {
    while length > 0 {
        match sendfile(stream, file, None, length)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            sent => length -= sent,
        }
    }
    Ok(())
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
