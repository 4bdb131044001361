//! The ids of members.

use alloc::format;
use alloc::string::String;

use crate::ids::Uuid;

/// What a string of the protocol may have.
const ID_BYTES_MAX: usize = i16::MAX as usize;

/// `-` and the text of a UUID.
const SUFFIX_BYTES: usize = 37;

/// `<client id or instance id>-<UUID>` (`ClassicGroup.generateMemberId`). A name that leaves no room is cut, where
/// Kafka fails when it writes the id.
pub(super) fn member_id(name: &str, uuid: Uuid) -> String {
    let mut fitting = (0..=name.len().min(ID_BYTES_MAX - SUFFIX_BYTES)).rev();
    let end = fitting.find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    let [high, low] = [&uuid.0[..8], &uuid.0[8..]]
        .map(|half| half.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)));
    // As `java.util.UUID` prints it.
    format!(
        "{}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        &name[..end],
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::{ID_BYTES_MAX, member_id};
    use crate::ids::Uuid;

    const ID: Uuid = Uuid([
        0x56, 0x6f, 0xb3, 0x8c, 0x4e, 0xba, 0x43, 0x13, 0x8e, 0xdf, 0x5e, 0x61, 0x5e, 0x5f, 0xca,
        0x2b,
    ]);

    #[test]
    fn a_member_id_is_the_clients_name_and_a_uuid_in_javas_text() {
        assert_eq!(member_id("golden", ID), "golden-566fb38c-4eba-4313-8edf-5e615e5fca2b");
        assert_eq!(member_id("", ID), "-566fb38c-4eba-4313-8edf-5e615e5fca2b");
    }

    #[test]
    fn a_name_too_long_for_an_id_is_cut_between_characters() {
        let id = member_id(&"ä".repeat(ID_BYTES_MAX), ID);
        assert!(id.len() <= ID_BYTES_MAX && id.len() >= ID_BYTES_MAX - 1);
        assert!(id.ends_with("ä-566fb38c-4eba-4313-8edf-5e615e5fca2b"));
    }
}
