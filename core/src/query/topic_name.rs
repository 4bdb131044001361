//! Which names a topic may have, and which topics are the broker's own.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::error_code::ErrorCode;

/// Longest name, in bytes: a directory `<topic>-<partition>` must fit a file name.
const NAME_BYTES_MAX: usize = 249;

/// Topics that the broker writes for itself (`Topic.INTERNAL_TOPICS`).
const INTERNAL: [&str; 3] = ["__consumer_offsets", "__share_group_state", "__transaction_state"];

/// Whether a topic may have this name (`Topic.validate`).
pub fn is_valid(name: &str) -> bool {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    fits && name != "." && name != ".." && name.bytes().all(legal)
}

/// What a topic that is not there is answered with.
pub fn absence(name: &str) -> ErrorCode {
    if is_valid(name) {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    } else {
        ErrorCode::INVALID_TOPIC_EXCEPTION
    }
}

/// Why a topic cannot have this name, in Kafka's words; `None` when it can.
pub fn refusal(name: &str) -> Option<String> {
    if is_valid(name) {
        return None;
    }
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > NAME_BYTES_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_BYTES_MAX}")
        }
        _ => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
    };
    Some(format!("Topic name is invalid: {reason}"))
}

/// Whether the topic is, or would be, the broker's own.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_does() {
        for name in ["a", "A-b_c.0", "...", &"x".repeat(249)] {
            assert!(is_valid(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "é", &"x".repeat(250)] {
            assert!(!is_valid(name), "{name}");
            assert!(refusal(name).is_some_and(|text| text.contains(name)));
        }
    }

    #[test]
    fn refused_name_is_told_in_kafkas_words() {
        assert_eq!(refusal("a"), None);
        let dots = "Topic name is invalid: '..' is not allowed";
        assert_eq!(refusal("..").as_deref(), Some(dots));
        let empty = "Topic name is invalid: the empty string is not allowed";
        assert_eq!(refusal("").as_deref(), Some(empty));
    }
}
