//! What a connection has to send: the chunks it has given out that have not left whole.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use klamm_core::Chunk;
use klamm_core::effect::{FileRange, IoError, IoErrorKind};
use klamm_core::ids::ConnectionId;
use rustix::io::Errno;

use crate::disk::Disk;
use crate::files::{io_error, read_up_to};
use crate::recorder::Recorder;
use crate::transport::{Follow, Transport};

/// Chunks on their way out.
#[derive(Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Piece>,
    bytes: u64,
}

enum Piece {
    Bytes(Bytes),
    File(OpenRange),
}

struct OpenRange {
    range: FileRange,
    file: Arc<File>,
    sent: u64,
    /// Read because the file cannot be sent as it lies; it follows what is sent.
    read: Bytes,
}

/// Why nothing more can be sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The peer is gone.
    Gone,
    /// A range cannot be sent in full.
    Range(FileRange, IoError),
}

/// What one attempt has done.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Chunks that have left whole.
    pub(crate) chunks: usize,
    /// Bytes that have left.
    pub(crate) bytes: u64,
    /// The socket takes no more now.
    pub(crate) blocked: bool,
}

/// Who is told of what is sent, and for which connection.
pub(crate) type Witness<'a> = (&'a dyn Recorder, ConnectionId);

/// Enough for one call to be worth it; taken beyond this only when it has left.
const TAKEN_BYTES_MAX: u64 = 256 << 10;
/// Pieces in one call; far below any system's limit.
const PIECES_MAX: usize = 64;
/// One sendfile holds the thread, and a disk behind it, for no longer than this.
const SENDFILE_BYTES_MAX: u64 = 1 << 20;
/// A file that cannot be sent as it lies is read in pieces of this size.
const READ_BYTES: u64 = 64 << 10;

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes < TAKEN_BYTES_MAX && self.pieces.len() < PIECES_MAX
    }

    /// Takes the next chunk. A range below `sendfile_bytes_min` is read here and leaves with its
    /// neighbours.
    pub(crate) fn push(
        &mut self,
        chunk: Chunk,
        disk: &dyn Disk,
        sendfile_bytes_min: u64,
    ) -> Result<(), SendError> {
        let piece = match chunk {
            Chunk::Bytes(bytes) => Piece::Bytes(bytes),
            Chunk::File(range) => match disk.open(&range.file) {
                Err(error) => return Err(SendError::Range(range, error)),
                Ok(file) if range.length >= sendfile_bytes_min => {
                    Piece::File(OpenRange { range, file, sent: 0, read: Bytes::new() })
                }
                Ok(file) => Piece::Bytes(read(&range, &file, 0, range.length)?),
            },
        };
        self.bytes += piece.len();
        self.pieces.push_back(piece);
        Ok(())
    }

    /// Makes one call to the socket.
    pub(crate) fn send(
        &mut self,
        transport: &mut impl Transport,
        witness: Option<Witness<'_>>,
    ) -> Result<Progress, SendError> {
        let progress = match self.pieces.front_mut() {
            None => return Ok(Progress::default()),
            Some(Piece::File(front)) => front.send(transport, witness)?,
            Some(Piece::Bytes(_)) => {
                let slices = self.pieces.iter().map_while(Piece::slice);
                let slices: Vec<IoSlice<'_>> = slices.collect();
                let more = slices.len() < self.pieces.len();
                let follow = if more { Follow::Range } else { Follow::Nothing };
                send_bytes(&slices, follow, transport, witness)?
            }
        };
        self.bytes -= progress.bytes;
        Ok(Progress { chunks: self.advance(progress.bytes), ..progress })
    }

    /// Moves on by so many bytes, and counts the chunks that are done.
    fn advance(&mut self, mut bytes: u64) -> usize {
        let mut chunks = 0;
        while let Some(front) = self.pieces.front_mut() {
            let step = bytes.min(front.len());
            bytes -= step;
            match front {
                Piece::Bytes(left) => left.advance(step as usize),
                Piece::File(range) => range.advance(step),
            }
            if front.len() > 0 {
                break;
            }
            self.pieces.pop_front();
            chunks += 1;
        }
        chunks
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(open) => open.range.length - open.sent,
        }
    }

    fn slice(&self) -> Option<IoSlice<'_>> {
        match self {
            Self::Bytes(bytes) => Some(IoSlice::new(bytes)),
            Self::File(_) => None,
        }
    }
}

impl OpenRange {
    fn send(
        &mut self,
        transport: &mut impl Transport,
        witness: Option<Witness<'_>>,
    ) -> Result<Progress, SendError> {
        let left = self.range.length - self.sent;
        if self.read.is_empty() {
            let position = self.range.position + self.sent;
            let count = left.min(SENDFILE_BYTES_MAX) as usize;
            if let Some((recorder, id)) = witness {
                recorder.sending_range(id, &self.range.file, position, count as u64);
            }
            match transport.send_file(&self.file, position, count) {
                Ok(0) => return Err(self.cut_short()),
                Ok(sent) => return Ok(progress(sent, witness)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(BLOCKED),
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    self.read = read(&self.range, &self.file, self.sent, left.min(READ_BYTES))?;
                }
                Err(error) if is_the_files(&error) => {
                    let error = io_error(&self.range.file.path, &error);
                    return Err(SendError::Range(self.range.clone(), error));
                }
                Err(_) => return Err(SendError::Gone),
            }
        }
        send_bytes(&[IoSlice::new(&self.read)], Follow::Nothing, transport, witness)
    }

    fn advance(&mut self, bytes: u64) {
        self.sent += bytes;
        self.read.advance(self.read.len().min(bytes as usize));
    }

    fn cut_short(&self) -> SendError {
        cut_short(&self.range)
    }
}

const BLOCKED: Progress = Progress { chunks: 0, bytes: 0, blocked: true };

fn progress(sent: usize, witness: Option<Witness<'_>>) -> Progress {
    if let Some((recorder, id)) = witness {
        recorder.sent(id, sent as u64);
    }
    Progress { chunks: 0, bytes: sent as u64, blocked: false }
}

fn send_bytes(
    slices: &[IoSlice<'_>],
    follow: Follow,
    transport: &mut impl Transport,
    witness: Option<Witness<'_>>,
) -> Result<Progress, SendError> {
    if let Some((recorder, id)) = witness {
        for slice in slices {
            recorder.sending(id, slice);
        }
    }
    match transport.send(slices, follow) {
        Ok(sent) => Ok(progress(sent, witness)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(BLOCKED),
        Err(_) => Err(SendError::Gone),
    }
}

/// Reads `length` bytes of the range, from `start` on.
fn read(range: &FileRange, file: &File, start: u64, length: u64) -> Result<Bytes, SendError> {
    match read_up_to(file, range.position + start, length as usize) {
        Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
        Ok(_) => Err(cut_short(range)),
        Err(error) => Err(SendError::Range(range.clone(), io_error(&range.file.path, &error))),
    }
}

fn cut_short(range: &FileRange) -> SendError {
    let end = range.position + range.length;
    let message = format!("the file ends before byte {end}, which is to be sent");
    let error = IoError::new(&range.file.path, IoErrorKind::Other, &message);
    SendError::Range(range.clone(), error)
}

/// Whether a sendfile has failed by its file; else it is the socket's fault, or the peer's.
fn is_the_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::IO, Errno::STALE, Errno::OVERFLOW, Errno::BADF]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
