//! Identities: small newtypes, so that no id is taken for another.

use alloc::string::String;
use core::fmt;

/// A connection, numbered by the driver from its start on; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A request's place in its connection's order, from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber(pub u64);

/// A job; never reused. [`JobId::BROKER`] stands for the broker itself as the owner of effects and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl JobId {
    /// The broker itself.
    pub const BROKER: Self = Self(0);
}

/// An effect: who emitted it, and its number there; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId {
    /// The job, or the broker, that waits for the completion.
    pub owner: JobId,
    /// Counted from 0 by the owner.
    pub number: u64,
}

/// A file as the core knows it: who named it first, and its number there; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// The job, or the broker, that named it.
    pub owner: JobId,
    /// Counted from 0 by the owner.
    pub number: u64,
}

/// The numbers that one owner (the broker, or a job) gives to its effects and files.
#[derive(Clone, Debug)]
pub struct Numbering {
    owner: JobId,
    effects: u64,
    files: u64,
}

impl Numbering {
    /// Starts at zero for `owner`.
    pub fn new(owner: JobId) -> Self {
        Self { owner, effects: 0, files: 0 }
    }

    /// The next effect's id.
    pub fn effect(&mut self) -> EffectId {
        let number = self.effects;
        self.effects += 1;
        EffectId { owner: self.owner, number }
    }

    /// The next file's id.
    pub fn file(&mut self) -> FileId {
        let number = self.files;
        self.files += 1;
        FileId { owner: self.owner, number }
    }
}

/// A live instance of a log; a topic that is deleted and created again gets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub u64);

/// A log directory, by its place in `log.dirs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectoryIndex(pub u16);

/// Kafka's 128-bit id; its text is URL-safe base64 without padding (`org.apache.kafka.common.Uuid`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Uuid {
    /// All zeros: "none" on the wire, and an unassigned directory.
    pub const ZERO: Self = Self([0; 16]);
    /// The metadata topic's id (`Uuid.METADATA_TOPIC_ID`).
    pub const METADATA_TOPIC: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Reads the text form: URL-safe or plain base64 alphabet, with or without padding.
    ///
    /// Returns `None` when it does not hold exactly 16 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end_matches('=');
        if text.len() != 22 {
            return None;
        }
        let mut out = [0_u8; 16];
        let (mut bits, mut held, mut at) = (0_u32, 0_u32, 0_usize);
        for byte in text.bytes() {
            let symbol = match byte {
                b'+' => b'-',
                b'/' => b'_',
                other => other,
            };
            let value = BASE64.iter().position(|&b| b == symbol)?;
            bits = (bits << 6) | value as u32;
            held += 6;
            if held >= 8 {
                held -= 8;
                if at < 16 {
                    out[at] = (bits >> held) as u8;
                }
                at += 1;
            }
        }
        Some(Self(out))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(22);
        for chunk in self.0.chunks(3) {
            let group = chunk.iter().fold(0_u32, |group, &b| (group << 8) | u32::from(b))
                << (8 * (3 - chunk.len()));
            for symbol in 0..=chunk.len() {
                text.push(BASE64[(group >> (18 - 6 * symbol)) as usize & 63] as char);
            }
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Uuid;
    use alloc::string::ToString;

    #[test]
    fn uuid_text_is_kafkas() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid([0xfb, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn padded_and_plain_base64_are_read() {
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ=="), Some(Uuid::METADATA_TOPIC));
        assert_eq!(Uuid::parse("+/8AAQIDBAUGBwgJCgsMDQ=="), Uuid::parse("-_8AAQIDBAUGBwgJCgsMDQ"));
        assert_eq!(Uuid::parse(""), None);
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAA"), None);
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAA!Q"), None);
    }
}
