//! An independent reader of Kafka's log files (record batches of magic 2): it shares no code with
//! the core, so that the two do not agree on a mistake. Compressed bodies go through the codecs'
//! libraries.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::batch::{Codec, Compression};
use klamm_core::effect::Path;
use klamm_core::ids::Uuid;
use klamm_runtime::compression::Codecs;

use crate::disk::Disk;
use crate::history::TopicPartition;

/// One record as it lies in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its offset.
    pub offset: i64,
    /// Its key; empty for null.
    pub key: Bytes,
    /// Its value; that of its first header for null, and empty without one.
    pub value: Bytes,
    /// Its value is null.
    pub is_tombstone: bool,
    /// As consumers see it, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The timestamp is the broker's.
    pub append_time: bool,
    /// The number of its batch's codec.
    pub codec: u8,
}

/// One partition as it lies on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredLog {
    /// The directory it was found in.
    pub directory: String,
    /// Records in the order of the files, up to the first fault.
    pub records: Vec<StoredRecord>,
    /// The offset behind the last record, or the first file's name when there is none.
    pub end_offset: i64,
    /// Offsets that no file has: where each gap begins, and where it ends. Deletion may leave some
    /// below the log's start, since renames that are out together have no order.
    pub gaps: Vec<(i64, i64)>,
    /// Only the last record of each key has to be there.
    pub is_compacted: bool,
    /// What lies below it is deleted, even where it is still there; `None` when nobody knows.
    pub start: Option<i64>,
    /// What is wrong: file, position and why. Nothing behind it was read.
    pub fault: Option<String>,
}

impl StoredLog {
    /// The record at an offset.
    pub fn at(&self, offset: i64) -> Option<&StoredRecord> {
        let at = self.records.binary_search_by_key(&offset, |record| record.offset).ok()?;
        self.records.get(at)
    }
}

/// Reads every partition below `log_dirs`, internal topics left out. In one that is compacted offsets may be
/// missing. The error names what is there twice.
pub fn read_logs(
    disk: &Disk,
    log_dirs: &[Path],
    is_compacted: impl Fn(&TopicPartition) -> bool,
) -> Result<BTreeMap<TopicPartition, StoredLog>, String> {
    let mut segments: BTreeMap<String, Vec<(Path, &[u8])>> = BTreeMap::new();
    for (path, content) in disk.files() {
        let directory = path.parent();
        let of_log_dir = log_dirs.iter().any(|log_dir| directory.parent() == *log_dir);
        if of_log_dir && path.name().strip_suffix(".log").is_some() {
            segments.entry(directory.as_str().to_owned()).or_default().push((path, content));
        }
    }
    let mut logs: BTreeMap<TopicPartition, StoredLog> = BTreeMap::new();
    for (directory, segments) in segments {
        let Some(target) = target_of(disk, &Path::new(&directory)) else { continue };
        let log = read_log(&directory, &segments, is_compacted(&target));
        if let Some(other) = logs.get(&target) {
            return Err(format!("{target} is in {} and in {directory}", other.directory));
        }
        logs.insert(target, log);
    }
    Ok(logs)
}

/// Key and value of every record of an internal topic, empty for null, partition by partition, in the order of
/// their offsets: some may be missing, where the log is compacted.
pub fn read_internal(
    disk: &Disk,
    log_dirs: &[Path],
    topic: &str,
) -> Result<Vec<(Bytes, Bytes)>, String> {
    let mut records = Vec::new();
    // By path, and so by partition and offset.
    let files: BTreeMap<String, &[u8]> = disk
        .files()
        .into_iter()
        .map(|(path, content)| (path.as_str().to_owned(), content))
        .collect();
    for (path, content) in files {
        let path = Path::new(&path);
        let directory = path.parent();
        let of_log_dir = log_dirs.iter().any(|log_dir| directory.parent() == *log_dir);
        let is_of_topic = directory
            .name()
            .rsplit_once('-')
            .is_some_and(|(name, partition)| name == topic && partition.parse::<i32>().is_ok());
        if !of_log_dir || !is_of_topic || path.name().strip_suffix(".log").is_none() {
            continue;
        }
        let mut left = content;
        while !left.is_empty() {
            let at = |what: String| format!("{path} at {}: {what}", content.len() - left.len());
            let (batch, rest) = left.split_at(batch_size(left).map_err(at)?);
            read_pairs(batch, &mut records).map_err(at)?;
            left = rest;
        }
    }
    Ok(records)
}

fn read_pairs(batch: &[u8], out: &mut Vec<(Bytes, Bytes)>) -> Result<(), String> {
    const CONTROL: u16 = 0x20;
    let (stored, computed) = (u32::from_be_bytes(array(batch, 17)), crc32c(&batch[21..]));
    if batch[16] != 2 || stored != computed {
        return Err(format!("magic {}, CRC {stored:08x}, should be {computed:08x}", batch[16]));
    }
    let attributes = u16::from_be_bytes(array(batch, 21));
    if attributes & CONTROL != 0 {
        return Ok(());
    }
    let body = body((attributes & 7) as u8, &batch[HEADER_BYTES..])?;
    let mut records = Records { left: &body };
    for index in 0..i32::from_be_bytes(array(batch, 57)) {
        let record = records.next().ok_or_else(|| format!("record {index} cannot be read"))?;
        out.push((record.key, record.value));
    }
    Ok(())
}

/// The partition whose directory this is; `None` for internal topics, and for other directories.
pub fn target_of(disk: &Disk, directory: &Path) -> Option<TopicPartition> {
    TopicPartition::of_directory(directory.name(), || topic_id_in(disk, directory))
}

/// True when this directory, whose name is the partition's, is that of no other topic of its name.
pub fn is_home_of(disk: &Disk, directory: &Path, target: &TopicPartition) -> bool {
    target.passing_id().is_none_or(|id| topic_id_in(disk, directory) == Some(id))
}

/// The id in a directory's `partition.metadata`: two lines, `version: 0` and `topic_id: ID`.
pub(crate) fn topic_id_in(disk: &Disk, directory: &Path) -> Option<Uuid> {
    let text = std::str::from_utf8(disk.content(&directory.join("partition.metadata"))?).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("topic_id: "))?;
    Uuid::parse(id)
}

/// Reads what a fetch has brought: whole batches one after another, and perhaps a part of one more. In a log that
/// is compacted offsets may be missing.
pub fn read_fetched(bytes: &[u8], is_compacted: bool) -> Result<StoredLog, String> {
    let mut log = StoredLog { is_compacted, ..StoredLog::default() };
    let first = bytes.first_chunk().ok_or("less than an offset")?;
    log.end_offset = i64::from_be_bytes(*first);
    let mut position = 0;
    while position < bytes.len() {
        let left = &bytes[position..];
        let size = match batch_size(left) {
            Ok(size) => size,
            Err(what) if position == 0 || !is_part(left) => return Err(what),
            Err(_) => break,
        };
        read_batch(&left[..size], &mut log)?;
        position += size;
    }
    Ok(log)
}

/// True when more bytes could make a batch of it.
fn is_part(left: &[u8]) -> bool {
    if left.len() < LOG_OVERHEAD_BYTES {
        return true;
    }
    let length = i32::from_be_bytes(array(left, 8)) as i64 + LOG_OVERHEAD_BYTES as i64;
    length >= HEADER_BYTES as i64 && length > left.len() as i64
}

fn read_log(directory: &str, segments: &[(Path, &[u8])], is_compacted: bool) -> StoredLog {
    let directory = directory.to_owned();
    let mut log = StoredLog { directory, is_compacted, ..StoredLog::default() };
    for (index, (path, content)) in segments.iter().enumerate() {
        let base: i64 = match path.name().trim_end_matches(".log").parse() {
            Ok(base) => base,
            Err(_) => {
                log.fault = Some(format!("{path}: no offset in the name"));
                return log;
            }
        };
        if index == 0 {
            log.end_offset = base;
        } else if base > log.end_offset {
            log.gaps.push((log.end_offset, base));
            log.end_offset = base;
        } else if base < log.end_offset {
            log.fault = Some(format!("{path}: the log before it ends at {}", log.end_offset));
            return log;
        }
        if let Err((position, what)) = read_segment(content, &mut log) {
            log.fault = Some(format!("{path} at {position}: {what}"));
            return log;
        }
    }
    log
}

const HEADER_BYTES: usize = 61;
const LOG_OVERHEAD_BYTES: usize = 12;

fn read_segment(content: &[u8], log: &mut StoredLog) -> Result<(), (usize, String)> {
    let mut position = 0;
    while position < content.len() {
        let at = |what: String| (position, what);
        let left = &content[position..];
        let size = batch_size(left).map_err(at)?;
        let batch = &left[..size];
        read_batch(batch, log).map_err(at)?;
        position += size;
    }
    Ok(())
}

fn batch_size(left: &[u8]) -> Result<usize, String> {
    if left.len() < HEADER_BYTES {
        return Err(format!("{} bytes of a batch's header", left.len()));
    }
    let length = i32::from_be_bytes(array(left, 8));
    let size = usize::try_from(length).map_or(0, |length| length + LOG_OVERHEAD_BYTES);
    if size < HEADER_BYTES || size > left.len() {
        return Err(format!("a batch of length {length} in {} bytes", left.len()));
    }
    Ok(size)
}

fn read_batch(batch: &[u8], log: &mut StoredLog) -> Result<(), String> {
    let base_offset = i64::from_be_bytes(array(batch, 0));
    if batch[16] != 2 {
        return Err(format!("magic {}", batch[16]));
    }
    let (stored, computed) = (u32::from_be_bytes(array(batch, 17)), crc32c(&batch[21..]));
    if stored != computed {
        return Err(format!("CRC {stored:08x}, should be {computed:08x}"));
    }
    if log.is_compacted && base_offset > log.end_offset {
        log.gaps.push((log.end_offset, base_offset));
    } else if base_offset != log.end_offset {
        return Err(format!("base offset {base_offset}, should be {}", log.end_offset));
    }
    let last_delta = i32::from_be_bytes(array(batch, 23));
    let count = i32::from_be_bytes(array(batch, 57));
    let attributes = u16::from_be_bytes(array(batch, 21));
    let (codec, append_time) = ((attributes & 7) as u8, attributes & 8 != 0);
    let base_ms = i64::from_be_bytes(array(batch, 27));
    let max_ms = i64::from_be_bytes(array(batch, 35));
    let mut newest_ms = i64::MIN;
    let body = body(codec, &batch[HEADER_BYTES..])?;
    let mut records = Records { left: &body };
    let mut next_delta = 0;
    for index in 0..count {
        let record = records.next().ok_or(format!("record {index} cannot be read"))?;
        let delta = record.offset_delta;
        let is_far = if log.is_compacted { delta < next_delta } else { delta != next_delta };
        if is_far || delta > i64::from(last_delta) {
            return Err(format!("record {index} has offset delta {delta}"));
        }
        next_delta = delta + 1;
        newest_ms = newest_ms.max(base_ms + record.timestamp_delta);
        log.records.push(StoredRecord {
            offset: base_offset + record.offset_delta,
            key: record.key,
            value: record.value,
            is_tombstone: record.is_tombstone,
            timestamp_ms: if append_time { max_ms } else { base_ms + record.timestamp_delta },
            append_time,
            codec,
        });
    }
    if !append_time && count > 0 && newest_ms != max_ms {
        return Err(format!("largest timestamp {max_ms}, should be {newest_ms}"));
    }
    let is_dense = last_delta + 1 == count && count > 0;
    if !records.left.is_empty() || !is_dense && !log.is_compacted || last_delta < 0 {
        return Err(format!("{count} records, last delta {last_delta}"));
    }
    log.end_offset = base_offset + i64::from(last_delta) + 1;
    Ok(())
}

/// A batch's records, no longer compressed.
fn body(codec: u8, stored: &[u8]) -> Result<Bytes, String> {
    let stored = Bytes::copy_from_slice(stored);
    let codec = match codec {
        0 => return Ok(stored),
        1 => Codec::Gzip,
        2 => Codec::Snappy,
        3 => Codec::Lz4,
        4 => Codec::Zstd,
        other => return Err(format!("codec {other}")),
    };
    let wrong = |error| format!("{codec:?}: {error}");
    let mut stream = Codecs::default().decompress(codec, stored).map_err(wrong)?;
    let (mut body, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece).map_err(wrong)? {
            0 => return Ok(body.into()),
            length => body.extend_from_slice(&piece[..length]),
        }
    }
}

/// Where the batches of a segment lie, as far as their lengths lead.
pub fn batches_of(content: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut batches = Vec::new();
    let mut start = 0;
    while let Some(head) = content.get(start..).and_then(|left| left.first_chunk::<12>()) {
        let length = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
        let end = start + 12 + length.max(0) as usize;
        if end > content.len() {
            break;
        }
        batches.push(start..end);
        start = end;
    }
    batches
}

/// Where the values of an uncompressed batch lie in it, nulls left out; `None` for another batch, for
/// one of control records, and for more than one.
pub fn value_ranges(batch: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    const CODEC_OR_CONTROL: u16 = 0x27;
    if batch_size(batch).ok()? != batch.len() || batch[16] != 2 {
        return None;
    }
    if u16::from_be_bytes(array(batch, 21)) & CODEC_OR_CONTROL != 0 {
        return None;
    }
    let mut records = Records { left: &batch[HEADER_BYTES..] };
    let mut ranges = Vec::new();
    while !records.left.is_empty() {
        records.varint()?;
        records.take(1)?;
        records.varint()?;
        records.varint()?;
        records.field()?;
        let length = usize::try_from(records.varint()?).ok();
        let start = batch.len() - records.left.len();
        ranges.extend(length.map(|length| start..start + length));
        records.take(length.unwrap_or(0))?;
        for _ in 0..2 * records.varint()? {
            records.field()?;
        }
    }
    Some(ranges)
}

/// The offset of a batch's last record, as its header has it.
pub fn last_offset(batch: &[u8]) -> i64 {
    if batch.len() < HEADER_BYTES {
        return -1;
    }
    i64::from_be_bytes(array(batch, 0)) + i64::from(i32::from_be_bytes(array(batch, 23)))
}

/// The latest timestamp of a batch, as its header has it, in milliseconds since the epoch.
pub fn latest_timestamp(batch: &[u8]) -> i64 {
    if batch.len() < HEADER_BYTES { -1 } else { i64::from_be_bytes(array(batch, 35)) }
}

/// One of a batch's records.
struct Record {
    timestamp_delta: i64,
    offset_delta: i64,
    key: Bytes,
    value: Bytes,
    is_tombstone: bool,
}

/// The records of an uncompressed batch: varint length, attributes, deltas, key, value, headers.
struct Records<'a> {
    left: &'a [u8],
}

impl Records<'_> {
    fn next(&mut self) -> Option<Record> {
        let length = usize::try_from(self.varint()?).ok()?;
        let behind = self.left.len().checked_sub(length)?;
        self.take(1)?;
        let timestamp_delta = self.varint()?;
        let offset_delta = self.varint()?;
        let key = Bytes::copy_from_slice(self.field()?);
        let length = self.varint()?;
        let is_tombstone = length < 0;
        let mut value = Bytes::copy_from_slice(self.take(length.max(0) as usize)?);
        for header in 0..self.varint()? {
            self.field()?;
            let of_header = Bytes::copy_from_slice(self.field()?);
            if is_tombstone && header == 0 {
                value = of_header;
            }
        }
        let record = Record { timestamp_delta, offset_delta, key, value, is_tombstone };
        (self.left.len() == behind).then_some(record)
    }

    fn field(&mut self) -> Option<&[u8]> {
        let length = self.varint()?;
        self.take(length.max(0) as usize)
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, left) = self.left.split_at_checked(length)?;
        self.left = left;
        Some(taken)
    }

    fn varint(&mut self) -> Option<i64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, left) = self.left.split_first()?;
            self.left = left;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        None
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), by a table.
pub fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use klamm_core::batch::{BatchBuilder, Codec};
    use klamm_core::effect::Path;
    use klamm_runtime::compression::compress;

    use super::{crc32c, read_logs};
    use crate::disk::Disk;
    use crate::history::TopicPartition;

    fn batch(base_offset: i64, values: &[&str]) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        for value in values {
            builder.append(5, Some(b"key"), Some(value.as_bytes()));
        }
        builder.encode(base_offset, 0)
    }

    fn read(files: &[(&str, Vec<u8>)]) -> super::StoredLog {
        let mut disk = Disk::new();
        for (path, content) in files {
            disk.put(&Path::new(path), content);
        }
        let mut logs = read_logs(&disk, &[Path::new("/d")], |_| false).unwrap();
        let target = TopicPartition { topic: "a-b".to_owned(), partition: 0 };
        logs.remove(&target).unwrap()
    }

    #[test]
    fn crc_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_of_several_segments_are_read_in_order() {
        let first = [batch(0, &["a", "b"]), batch(2, &["c"])].concat();
        let log = read(&[
            ("/d/a-b-0/00000000000000000000.log", first),
            ("/d/a-b-0/00000000000000000003.log", batch(3, &["d"])),
            ("/d/a-b-0/00000000000000000003.index", vec![]),
            ("/d/__cluster_metadata-0/00000000000000000000.log", vec![1]),
        ]);
        let records: Vec<_> = log.records.iter().map(|r| (r.offset, &r.value[..])).collect();
        assert_eq!(records, [(0, &b"a"[..]), (1, b"b"), (2, b"c"), (3, b"d")]);
        assert_eq!((log.end_offset, log.fault), (4, None));
    }

    #[test]
    fn compressed_and_stamped_batches_are_read() {
        let name = "/d/a-b-0/00000000000000000000.log";
        for (number, codec) in (1..).zip([Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]) {
            let mut builder = BatchBuilder::new().log_append_time(70);
            builder.append(5, Some(b"key"), Some(b"a"));
            builder.append(4, None, Some(&[7; 9000]));
            let compressed = compress(codec, builder.records());
            let log = read(&[(name, builder.compressed(codec, compressed.into()).encode(0, 0))]);
            assert_eq!(log.fault, None);
            let [first, second] = &log.records[..] else { panic!("two records") };
            assert_eq!((&first.key[..], &first.value[..]), (&b"key"[..], &b"a"[..]));
            assert_eq!((second.offset, &second.value[..]), (1, &[7; 9000][..]));
            assert_eq!((second.timestamp_ms, second.append_time, second.codec), (70, true, number));
            let mut garbled = BatchBuilder::new();
            garbled.append(5, None, Some(b"a"));
            let garbled = garbled.compressed(codec, vec![0xee; 30].into()).encode(0, 0);
            assert!(read(&[(name, garbled)]).fault.is_some(), "{codec:?}");
        }
    }

    #[test]
    fn the_first_fault_ends_the_log_and_is_named() {
        let name = "/d/a-b-0/00000000000000000000.log";
        let (good, mut bad) = (batch(0, &["a"]), batch(1, &["b"]));
        *bad.last_mut().unwrap() ^= 1;
        let cases = [
            (bad.clone(), "CRC"),
            (bad[..30].to_vec(), "header"),
            (vec![0; 80], "length 0"),
            (batch(1, &["b"])[..70].to_vec(), "a batch of length"),
            (batch(2, &["c"]), "base offset 2"),
        ];
        for (tail, what) in cases {
            let log = read(&[(name, [good.clone(), tail].concat())]);
            let fault = log.fault.unwrap();
            assert!(
                fault.contains(what) && fault.contains(&format!("at {}", good.len())),
                "{fault}"
            );
            assert_eq!(log.records.len(), 1);
        }
        let gap = read(&[(name, good), ("/d/a-b-0/00000000000000000002.log", batch(2, &["c"]))]);
        assert_eq!((gap.fault, gap.gaps), (None, vec![(1, 2)]));
    }

    #[test]
    fn a_partition_in_two_log_directories_is_refused() {
        let mut disk = Disk::new();
        disk.put(&Path::new("/d/a-0/00000000000000000000.log"), b"");
        disk.put(&Path::new("/e/a-0/00000000000000000000.log"), b"");
        assert!(read_logs(&disk, &[Path::new("/d"), Path::new("/e")], |_| false).is_err());
    }
}
