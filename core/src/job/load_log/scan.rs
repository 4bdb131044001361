//! A walk over one segment's batches, piece by piece: memory is that of a piece, whatever the
//! batches' sizes.

use alloc::format;
use alloc::string::{String, ToString};

use super::legacy_crc::LegacyCrc;
use crate::batch::{
    BatchFault, BatchHeader, CrcCheck, HEADER_BYTES, Step, legacy_timestamp, next_batch,
};
use crate::log::producers::EndMarker;

/// Where the magic byte stands, in every format.
const MAGIC_AT: usize = 16;
/// Bytes of an old entry up to its key; magic 0 has no timestamp and fewer.
const LEGACY_HEADER_BYTES: usize = 26;

/// The largest control batch of a producer that is looked into: the end of a transaction is one
/// record of less than a hundred bytes.
const MARKER_BYTES_MAX: usize = 1024;

/// A whole batch, or an entry of the old formats, whose bytes are those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// First byte, from the file's start.
    pub(super) position: u64,
    /// Bytes, header included.
    pub(super) size: u32,
    /// Offset of the first record; of the last one in the old formats, which do not tell.
    pub(super) base_offset: i64,
    /// Offset of the last record; `None` when it is before the first, or overflows.
    pub(super) last_offset: Option<i64>,
    /// -1 for none.
    pub(super) leader_epoch: i32,
    /// -1 for none.
    pub(super) max_timestamp_ms: i64,
    /// `None` in the old formats.
    pub(super) header: Option<BatchHeader>,
    /// What a control batch says of its producer's transaction.
    pub(super) marker: Option<EndMarker>,
}

/// One segment's scan.
#[derive(Debug)]
pub(super) struct SegmentScan {
    length: u64,
    /// Bytes that are whole, valid batches.
    valid: u64,
    /// Where the next piece begins.
    next_read: u64,
    /// The next piece has so many bytes at least: what is to be looked into must be whole.
    piece_min: u32,
    body: Option<Body>,
}

/// A batch that goes beyond the piece it begins in.
#[derive(Debug)]
struct Body {
    found: Found,
    crc: Crc,
    missing: u64,
}

/// The CRC under way.
#[derive(Debug)]
enum Crc {
    Batch(CrcCheck),
    Legacy(LegacyCrc),
}

impl Crc {
    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Batch(crc) => crc.update(piece),
            Self::Legacy(crc) => crc.update(piece),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self {
            Self::Batch(crc) => crc.finish().map_err(|fault| fault.to_string()),
            Self::Legacy(crc) if crc.matches() => Ok(()),
            Self::Legacy(_) => Err("the CRC of the old message format does not match".to_string()),
        }
    }
}

impl SegmentScan {
    /// At the start of a file of `length` bytes.
    pub(super) fn new(length: u64) -> Self {
        Self::at(0, length)
    }

    /// At `position` of such a file, where a batch begins.
    pub(super) fn at(position: u64, length: u64) -> Self {
        // A header must fit into a piece, or the scan would stand still.
        let piece_min = HEADER_BYTES as u32;
        Self { length, valid: position, next_read: position, piece_min, body: None }
    }

    /// Position and length of the next piece; `None` at the file's end.
    pub(super) fn wants(&self, piece_bytes: u32) -> Option<(u64, u32)> {
        let left = self.length - self.next_read;
        let piece = u64::from(piece_bytes.max(self.piece_min));
        (left > 0).then(|| (self.next_read, left.min(piece) as u32))
    }

    /// Bytes from the start that are whole, valid batches.
    pub(super) fn valid(&self) -> u64 {
        self.valid
    }

    /// Takes the piece that [`wants`](Self::wants) named, and hands every batch that ends in it to
    /// `take`. Fails at the first one that is not valid, or that `take` refuses;
    /// [`valid`](Self::valid) then says where it begins.
    pub(super) fn feed(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(Found) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut rest = piece;
        self.next_read += piece.len() as u64;
        self.piece_min = HEADER_BYTES as u32;
        if let Some(body) = &mut self.body {
            let part = body.missing.min(rest.len() as u64) as usize;
            let (of_body, behind) = rest.split_at(part);
            body.missing -= part as u64;
            body.crc.update(of_body);
            rest = behind;
            if body.missing > 0 {
                return Ok(());
            }
        }
        if let Some(Body { found, crc, .. }) = self.body.take() {
            crc.finish()?;
            take(found)?;
            self.valid = self.next_read - rest.len() as u64;
        }
        while !rest.is_empty() {
            match self.step(rest)? {
                Some((found, size)) => {
                    take(found)?;
                    self.valid += size as u64;
                    rest = rest.get(size..).unwrap_or_default();
                }
                None => break,
            }
        }
        Ok(())
    }

    /// The batch at the front of `rest` and its size; `None` when it goes beyond.
    fn step(&mut self, rest: &[u8]) -> Result<Option<(Found, usize)>, String> {
        let position = self.valid;
        let left = self.length - position;
        match next_batch(rest, usize::try_from(left).unwrap_or(usize::MAX)) {
            Step::Batch(view) => {
                view.verify_crc().map_err(|fault| fault.to_string())?;
                let marker = marker(view.header(), rest.get(HEADER_BYTES..view.size()));
                let found = Found { marker, ..of_header(position, view.header()) };
                Ok(Some((found, view.size())))
            }
            Step::Legacy(entry) => {
                let crc = rest.get(..entry.size).and_then(LegacyCrc::new);
                Crc::Legacy(crc.expect("a whole entry has a CRC")).finish()?;
                Ok(Some((of_legacy(position, entry.size, rest), entry.size)))
            }
            Step::Invalid(BatchFault::TooLarge { size, .. }) => {
                Err(format!("the batch has {size} bytes, the file has {left} of them"))
            }
            Step::Invalid(fault) => Err(fault.to_string()),
            Step::BodyIncomplete { size, .. } if is_marker(rest, size) => {
                self.next_read = position;
                self.piece_min = size as u32;
                Ok(None)
            }
            Step::BodyIncomplete { size, missing } => {
                self.body = begin_body(position, rest, size, missing as u64);
                if self.body.is_none() {
                    self.next_read = position;
                }
                Ok(None)
            }
            Step::HeaderIncomplete { .. } if (rest.len() as u64) < left => {
                self.next_read = position;
                Ok(None)
            }
            Step::HeaderIncomplete { .. } => {
                Err(format!("the file ends {left} bytes into a batch's header"))
            }
        }
    }
}

/// `None` when the header is not whole: it is then read again, with what follows it.
fn begin_body(position: u64, rest: &[u8], size: usize, missing: u64) -> Option<Body> {
    let (found, crc) = match rest.get(MAGIC_AT) {
        Some(0 | 1) => {
            rest.get(LEGACY_HEADER_BYTES..)?;
            (of_legacy(position, size, rest), Crc::Legacy(LegacyCrc::new(rest)?))
        }
        _ => {
            let header = BatchHeader::parse(rest)?;
            let mut crc = CrcCheck::new(&header);
            crc.update(rest.get(HEADER_BYTES..)?);
            (of_header(position, &header), Crc::Batch(crc))
        }
    };
    Some(Body { found, crc, missing })
}

/// Whether the front of a batch says that it ends a transaction.
fn is_marker(front: &[u8], size: usize) -> bool {
    let header = BatchHeader::parse(front).filter(|header| header.magic == 2);
    size <= MARKER_BYTES_MAX
        && header.is_some_and(|it| it.attributes.is_control() && it.has_producer_id())
}

/// One that makes no sense ends nothing.
fn marker(header: &BatchHeader, body: Option<&[u8]>) -> Option<EndMarker> {
    let ends = header.attributes.is_control() && header.has_producer_id();
    EndMarker::parse(header, body.filter(|_| ends)?).ok().flatten()
}

fn of_header(position: u64, header: &BatchHeader) -> Found {
    let delta = i64::from(header.last_offset_delta);
    Found {
        position,
        size: header.size() as u32,
        base_offset: header.base_offset,
        last_offset: header
            .base_offset
            .checked_add(delta)
            .filter(|last| *last >= header.base_offset),
        leader_epoch: header.leader_epoch,
        max_timestamp_ms: header.max_timestamp_ms,
        header: Some(*header),
        marker: None,
    }
}

/// `front` holds the offset, and in magic 1 the timestamp.
fn of_legacy(position: u64, size: usize, front: &[u8]) -> Found {
    let offset = front.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes));
    Found {
        position,
        size: size as u32,
        base_offset: offset,
        last_offset: Some(offset),
        leader_epoch: -1,
        max_timestamp_ms: legacy_timestamp(front).unwrap_or(-1),
        header: None,
        marker: None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{Found, LegacyCrc, SegmentScan};
    use crate::batch::BatchBuilder;

    fn batch(base_offset: i64, value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        builder.append(1_000, None, Some(value));
        builder.append(1_001, None, Some(b"second"));
        builder.encode(base_offset, 3)
    }

    fn legacy(offset: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0; 12 + usize::from(length)];
        bytes[7] = offset;
        bytes[11] = length;
        let crc = LegacyCrc::compute(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// What a scan in pieces of `piece_bytes` finds, and how it ends.
    fn scan(file: &[u8], piece_bytes: u32) -> (Vec<Found>, u64, Result<(), String>) {
        let mut scan = SegmentScan::new(file.len() as u64);
        let mut found = Vec::new();
        let mut outcome = Ok(());
        while let (Ok(()), Some((at, length))) = (&outcome, scan.wants(piece_bytes)) {
            let piece = &file[at as usize..at as usize + length as usize];
            outcome = scan.feed(piece, |batch| {
                found.push(batch);
                Ok(())
            });
        }
        (found, scan.valid(), outcome)
    }

    #[test]
    fn pieces_of_any_size_find_the_same() {
        let mut file = Vec::new();
        let mut positions = Vec::new();
        for (base, size) in [(0, 0), (2, 300), (4, 10), (6, 1_000)] {
            positions.push(file.len() as u64);
            file.extend(batch(base, &vec![7; size]));
        }
        positions.push(file.len() as u64);
        file.extend(legacy(9, 200));
        positions.push(file.len() as u64);
        file.extend(batch(10, b"last"));
        let (whole, valid, outcome) = scan(&file, 1 << 20);
        assert_eq!((valid, outcome), (file.len() as u64, Ok(())));
        assert_eq!(whole.iter().map(|found| found.position).collect::<Vec<_>>(), positions);
        assert_eq!(whole[3].last_offset, Some(7));
        assert_eq!((whole[3].leader_epoch, whole[3].max_timestamp_ms), (3, 1_001));
        assert_eq!((whole[4].last_offset, whole[4].leader_epoch), (Some(9), -1));
        for piece_bytes in (1..400).step_by(7) {
            let expected = (whole.clone(), file.len() as u64, Ok(()));
            assert_eq!(scan(&file, piece_bytes), expected, "{piece_bytes}");
        }
    }

    #[test]
    fn cut_file_is_valid_up_to_its_last_whole_batch() {
        let first = batch(0, b"a");
        let mut file = first.clone();
        file.extend(batch(2, &[7; 200]));
        for cut in first.len() + 1..file.len() {
            for piece_bytes in [61, 100, 4096] {
                let (found, valid, outcome) = scan(&file[..cut], piece_bytes);
                assert_eq!((found.len(), valid), (1, first.len() as u64), "cut {cut}");
                assert!(outcome.is_err(), "cut {cut} piece {piece_bytes}");
            }
        }
    }

    #[test]
    fn flipped_byte_is_noticed_in_every_piece_size() {
        let first = batch(0, b"a");
        let mut file = first.clone();
        file.extend(batch(2, &[7; 200]));
        file[first.len() + 150] ^= 1;
        for piece_bytes in [61, 100, 4096] {
            let (found, valid, outcome) = scan(&file, piece_bytes);
            assert_eq!((found.len(), valid), (1, first.len() as u64));
            assert!(outcome.unwrap_err().starts_with("CRC"));
        }
    }

    #[test]
    fn batch_without_the_end_of_its_header_is_no_entry_of_the_old_formats() {
        let first = batch(0, b"a");
        let mut file = first.clone();
        file.extend(batch(2, &[7; 200]));
        file[first.len() + 12..].fill(0);
        for piece_bytes in [61, 100, 4096] {
            let (_, valid, outcome) = scan(&file, piece_bytes);
            assert_eq!(valid, first.len() as u64);
            assert!(outcome.unwrap_err().contains("old message format"));
        }
    }

    #[test]
    fn a_length_beyond_the_file_is_refused_at_the_header() {
        let first = batch(0, b"a");
        for (file_behind, magic) in [(batch(2, &[7; 400]), 2), (legacy(3, 250), 1)] {
            let mut file = [first.clone(), file_behind].concat();
            let left = file.len() - first.len();
            let at = first.len() + 8;
            file[at..at + 4].copy_from_slice(&(left as i32 - 12 + 1).to_be_bytes());
            file[first.len() + 16] = magic;
            for piece_bytes in [61, 300, 4096] {
                let (found, valid, outcome) = scan(&file, piece_bytes);
                assert_eq!((found.len(), valid), (1, first.len() as u64), "magic {magic}");
                let expected =
                    format!("the batch has {} bytes, the file has {left} of them", left + 1);
                assert_eq!(outcome, Err(expected));
            }
            let mut scan = SegmentScan::new(file.len() as u64);
            let header = &file[..first.len() + 61];
            assert!(scan.feed(header, |_| Ok(())).is_err(), "no more of it is read");
        }
    }

    #[test]
    fn any_bytes_end_the_scan() {
        let mut rng = crate::rng::Rng::from_seed([3; 32]);
        for _ in 0..300 {
            let mut file = batch(0, &[1; 100]);
            file.extend(batch(2, &[2; 100]));
            for _ in 0..=rng.below(3) {
                let at = rng.below(file.len() as u64) as usize;
                file[at] = rng.next_u64() as u8;
            }
            let expected = scan(&file, 4096);
            assert_eq!(scan(&file, 64).1, expected.1);
            assert_eq!(scan(&file, 64).2.is_ok(), expected.2.is_ok());
        }
    }
}
