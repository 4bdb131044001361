//! An independent reader of `__consumer_offsets`: it shares no code with the core, so that the two do not agree on a
//! mistake (`OffsetCommitKey`, `OffsetCommitValue`, `GroupMetadataKey`, `GroupMetadataValue`).

use bytes::{Buf, Bytes};
use klamm_core::effect::Path;
use klamm_core::ids::Uuid;

use crate::disk::Disk;
use crate::groups::{Committed, StoredGroups};
use crate::history::TopicPartition;
use crate::reader::read_internal;

/// Where groups are kept.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// What the log says, each key's last word. The error says what cannot be read.
pub fn read_groups(disk: &Disk, log_dirs: &[Path]) -> Result<StoredGroups, String> {
    let mut stored = StoredGroups::default();
    for (key, value) in read_internal(disk, log_dirs, OFFSETS_TOPIC)? {
        let told = format!("{OFFSETS_TOPIC}: {key:?} {value:?}");
        read_record(key, value, &mut stored).ok_or_else(|| format!("{told} cannot be read"))?;
    }
    Ok(stored)
}

fn read_record(mut key: Bytes, mut value: Bytes, stored: &mut StoredGroups) -> Option<()> {
    const OFFSET: i16 = 1;
    const GROUP: i16 = 2;
    let kind = key.try_get_i16().ok()?;
    let group = take_string(&mut key)?;
    match kind {
        OFFSET => {
            let topic = take_string(&mut key)?;
            let partition = key.try_get_i32().ok()?;
            let at = (group, TopicPartition::new(&topic, Uuid::ZERO, partition));
            if value.is_empty() {
                stored.offsets.remove(&at);
            } else {
                stored.offsets.insert(at, read_offset(&mut value)?);
            }
        }
        GROUP if value.is_empty() => drop(stored.generations.remove(&group)),
        GROUP => {
            // Classic in the versions that are written: 16-bit lengths.
            let version = value.try_get_i16().ok()?;
            (0..=3).contains(&version).then_some(())?;
            take_string(&mut value)?;
            stored.generations.insert(group, value.try_get_i32().ok()?);
        }
        // Of other kinds of groups nothing is known.
        _ => return Some(()),
    }
    key.is_empty().then_some(())
}

fn read_offset(value: &mut Bytes) -> Option<Committed> {
    const FLEXIBLE: i16 = 4;
    let version = value.try_get_i16().ok()?;
    let offset = value.try_get_i64().ok()?;
    let leader_epoch = if version >= 3 { value.try_get_i32().ok()? } else { -1 };
    let metadata = if version >= FLEXIBLE {
        let length = take_unsigned(value)?.checked_sub(1)?;
        take_text(value, length)?
    } else {
        take_string(value)?
    };
    Some(Committed { offset, leader_epoch, metadata })
}

fn take_string(bytes: &mut Bytes) -> Option<String> {
    let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
    take_text(bytes, length)
}

fn take_text(bytes: &mut Bytes, length: usize) -> Option<String> {
    (length <= bytes.len()).then(|| bytes.split_to(length))?.to_vec().try_into().ok()
}

fn take_unsigned(bytes: &mut Bytes) -> Option<usize> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::read_record;
    use crate::groups::{Committed, StoredGroups};
    use crate::history::TopicPartition;

    #[test]
    fn offsets_and_generations_are_read_and_taken_back() {
        let offset_key = b"\0\x01\0\x01g\0\x01t\0\0\0\x02";
        let at = ("g".to_owned(), TopicPartition { topic: "t".to_owned(), partition: 2 });
        let mut stored = StoredGroups::default();
        let mut read = |key: &'static [u8], value: &'static [u8]| {
            read_record(key.into(), value.into(), &mut stored).expect("a record");
            stored.clone()
        };
        let flexible = b"\0\x04\0\0\0\0\0\0\0\x07\0\0\0\x03\x02m\0\0\0\0\0\0\0\x01\0";
        let committed = Committed { offset: 7, leader_epoch: 3, metadata: "m".to_owned() };
        assert_eq!(read(offset_key, flexible).offsets[&at], committed);
        let old = b"\0\x01\0\0\0\0\0\0\0\x08\0\x01n\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02";
        let committed = Committed { offset: 8, leader_epoch: -1, metadata: "n".to_owned() };
        assert_eq!(read(offset_key, old).offsets[&at], committed);
        assert!(read(offset_key, b"").offsets.is_empty());
        let group = b"\0\x03\0\x08consumer\0\0\0\x05\xff\xff";
        assert_eq!(read(b"\0\x02\0\x01g", group).generations["g"], 5);
        assert!(read(b"\0\x02\0\x01g", b"").generations.is_empty());
    }
}
