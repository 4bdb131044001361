//! Errors in words, within a bound: they name what was asked for, and a short request can ask for one long
//! name many times.

use alloc::string::String;

use crate::config::limits::{ANSWER_WORDS_BYTES_FREE, ANSWER_WORDS_ELEMENT_BYTES};

/// What Kafka says of INVALID_REQUEST where it has nothing to add.
pub(crate) const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client \
                         library or the message was sent to an incompatible broker. See the broker \
                         logs for more details.";

/// What is left of one answer's words. Beyond it an error is told by its code alone.
#[derive(Debug)]
pub(crate) struct Words {
    bytes_left: usize,
}

impl Words {
    /// Those of an answer of so many elements.
    pub(crate) fn of(elements: usize) -> Self {
        Self { bytes_left: ANSWER_WORDS_BYTES_FREE + elements * ANSWER_WORDS_ELEMENT_BYTES }
    }

    /// The text, if there is room for it.
    pub(crate) fn admit(&mut self, text: Option<String>) -> Option<String> {
        let text = text?;
        self.bytes_left = self.bytes_left.checked_sub(text.len())?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::{ANSWER_WORDS_BYTES_FREE, ANSWER_WORDS_ELEMENT_BYTES, Words};

    #[test]
    fn words_end_where_their_bound_is() {
        let mut words = Words::of(2);
        assert_eq!(words.admit(None), None);
        let most = "x".repeat(ANSWER_WORDS_BYTES_FREE + 2 * ANSWER_WORDS_ELEMENT_BYTES - 2);
        assert_eq!(words.admit(Some(most.clone())), Some(most));
        assert_eq!(words.admit(Some("abc".to_string())), None);
        assert_eq!(words.admit(Some("ab".to_string())), Some("ab".to_string()));
        assert_eq!(words.admit(Some(String::new())), Some(String::new()));
        assert_eq!(words.admit(Some("a".to_string())), None);
    }
}
