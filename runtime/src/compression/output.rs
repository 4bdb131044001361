//! Where compressors write to, with an end.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};

use bytes::Bytes;
use klamm_core::batch::{ByteStream, CompressionError};

/// What is read from the input at once.
const PIECE_BYTES: usize = 8 << 10;

/// The output of one compression. A write beyond its end is taken and lost, since not every encoder
/// can be told of an error; who feeds the encoder looks at [`is_full`](Self::is_full).
pub(super) struct Output {
    bytes: RefCell<Vec<u8>>,
    bytes_max: usize,
    full: Cell<bool>,
}

impl Output {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes: RefCell::default(), bytes_max, full: Cell::default() }
    }

    /// Something has been lost.
    pub(super) fn is_full(&self) -> bool {
        self.full.get()
    }

    pub(super) fn finish(self) -> Result<Bytes, CompressionError> {
        if self.full.get() {
            return Err(CompressionError::OutputFull);
        }
        Ok(Bytes::from(self.bytes.into_inner()))
    }
}

impl Write for &Output {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.borrow_mut();
        if piece.len() > self.bytes_max - bytes.len() {
            self.full.set(true);
        }
        if !self.full.get() {
            bytes.extend_from_slice(piece);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all of `input` into `encoder`, which writes into `output`; ends early when that is full.
pub(super) fn feed(
    input: &mut dyn ByteStream,
    encoder: &mut impl Write,
    output: &Output,
) -> Result<(), CompressionError> {
    let mut piece = [0; PIECE_BYTES];
    while !output.is_full() {
        let count = input.read(&mut piece)?;
        if count == 0 {
            break;
        }
        encoder.write_all(&piece[..count]).expect("an output takes every byte");
    }
    Ok(())
}
