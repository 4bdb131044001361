use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;

use klamm_core::effect::{FileRef, Path};
use klamm_core::ids::{FileId, JobId};

use super::*;
use crate::files::Files;
use crate::files::tests::TempDir;
use crate::transport::Socket;

const SENDFILE_MIN: u64 = 100;

/// Takes a few bytes in each call, and notes what each call was.
#[derive(Default)]
struct Slow {
    taken: Vec<u8>,
    calls: Vec<String>,
    most: usize,
    no_sendfile: bool,
}

impl Transport for Slow {
    fn receive(&mut self, _: &mut Vec<u8>) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn send(&mut self, pieces: &[IoSlice<'_>], follow: Follow) -> io::Result<usize> {
        let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        let count = all.len().min(self.most);
        self.taken.extend_from_slice(&all[..count]);
        self.calls.push(format!("{} pieces, {follow:?} follows", pieces.len()));
        Ok(count)
    }

    fn send_file(&mut self, file: &File, position: u64, length: usize) -> io::Result<usize> {
        if self.no_sendfile {
            return Err(ErrorKind::Unsupported.into());
        }
        let bytes = read_up_to(file, position, length.min(self.most))?;
        self.taken.extend_from_slice(&bytes);
        self.calls.push(format!("file at {position}"));
        Ok(bytes.len())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Setup {
    _dir: TempDir,
    files: Files,
    file: FileRef,
    content: Vec<u8>,
    outgoing: Outgoing,
}

fn setup() -> Setup {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    let content: Vec<u8> = (0..=255).cycle().take(1000).collect();
    fs::write(&path, &content).unwrap();
    let id = FileId { owner: JobId::BROKER, number: 0 };
    let file = FileRef { id, path: Path::new(path.to_str().unwrap()) };
    Setup { _dir: dir, files: Files::new(4), file, content, outgoing: Outgoing::default() }
}

impl Setup {
    fn range(&self, position: u64, length: u64) -> Chunk {
        Chunk::File(FileRange { file: self.file.clone(), position, length })
    }

    fn push(&mut self, chunk: Chunk) -> Result<(), SendError> {
        self.outgoing.push(chunk, &self.files, SENDFILE_MIN)
    }

    /// Sends everything; chunks that have left after each call.
    fn drain(&mut self, transport: &mut impl Transport) -> Vec<usize> {
        let mut chunks = Vec::new();
        while !self.outgoing.is_empty() {
            chunks.push(self.outgoing.send(transport, None).unwrap().chunks);
        }
        assert_eq!(self.outgoing.bytes, 0);
        chunks
    }
}

fn bytes(text: &'static str) -> Chunk {
    Chunk::Bytes(Bytes::from_static(text.as_bytes()))
}

#[test]
fn short_ranges_leave_with_their_neighbours_and_long_ones_behind_a_corked_header() {
    let mut setup = setup();
    for chunk in [bytes("head"), setup.range(10, 20), bytes(""), setup.range(0, 500), bytes("z")] {
        setup.push(chunk).unwrap();
    }
    let mut slow = Slow { most: 300, ..Slow::default() };
    assert_eq!(setup.drain(&mut slow), [3, 0, 1, 1]);
    let expected =
        ["3 pieces, Range follows", "file at 0", "file at 300", "1 pieces, Nothing follows"];
    assert_eq!(slow.calls, expected);
    let content = &setup.content;
    assert_eq!(slow.taken, [b"head", &content[10..30], &content[..500], b"z"].concat());
}

#[test]
fn any_split_of_the_calls_sends_the_same_bytes() {
    for most in [1, 2, 3, 7, 50, 10_000] {
        for no_sendfile in [false, true] {
            let mut setup = setup();
            for chunk in [bytes("ab"), setup.range(5, 700), bytes("c"), setup.range(0, 99)] {
                setup.push(chunk).unwrap();
            }
            let mut slow = Slow { most, no_sendfile, ..Slow::default() };
            assert_eq!(setup.drain(&mut slow).into_iter().sum::<usize>(), 4);
            let content = &setup.content;
            assert_eq!(slow.taken, [b"ab", &content[5..705], b"c", &content[..99]].concat());
        }
    }
}

#[test]
fn a_range_beyond_the_files_end_is_reported() {
    let mut setup = setup();
    let short = setup.range(990, 20);
    let Err(SendError::Range(range, error)) = setup.push(short.clone()) else {
        panic!("a short read is no range");
    };
    assert_eq!((Chunk::File(range), &error.path), (short, &setup.file.path));
    assert!(error.message.contains("byte 1010"), "{}", error.message);

    for no_sendfile in [false, true] {
        setup.outgoing = Outgoing::default();
        setup.push(setup.range(900, 200)).unwrap();
        let mut slow = Slow { most: 1000, no_sendfile, ..Slow::default() };
        let failed =
            std::iter::from_fn(|| Some(setup.outgoing.send(&mut slow, None))).find_map(Result::err);
        assert!(matches!(failed, Some(SendError::Range(..))), "{failed:?}");
    }
}

#[test]
fn a_range_of_a_missing_file_is_reported() {
    let mut setup = setup();
    setup.file.path = Path::new("/nowhere");
    let chunk = setup.range(0, 1);
    assert!(matches!(setup.push(chunk), Err(SendError::Range(..))));
}

#[test]
fn a_real_socket_takes_bytes_and_ranges() {
    let mut setup = setup();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut socket = Socket(ours);
    for chunk in [bytes("head"), setup.range(100, 900), bytes("tail")] {
        setup.push(chunk).unwrap();
    }
    assert_eq!(setup.drain(&mut socket).into_iter().sum::<usize>(), 3);
    drop(socket);
    let mut received = Vec::new();
    theirs.read_to_end(&mut received).unwrap();
    assert_eq!(received, [b"head", &setup.content[100..], b"tail"].concat());
}

#[test]
fn a_full_socket_blocks_and_a_closed_one_is_gone() {
    let mut setup = setup();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut socket = Socket(ours);
    let blocked = (0..10_000).any(|_| {
        setup.push(setup.range(0, 1000)).unwrap();
        setup.outgoing.send(&mut socket, None).unwrap().blocked
    });
    assert!(blocked);
    drop(theirs);
    assert!(matches!(setup.outgoing.send(&mut socket, None), Err(SendError::Gone)));
}
