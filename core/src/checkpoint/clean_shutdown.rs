//! `.kafka_cleanshutdown`: written last at a clean stop (`CleanShutdownFileHandler`).

use alloc::format;
use alloc::string::String;

/// What the marker says. That it is there at all is what counts: it is removed before loading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanShutdown {
    /// The epoch that the stopped broker had registered with; unknown in an empty or unreadable
    /// marker (Kafka before 3.7 writes an empty one).
    pub broker_epoch: Option<i64>,
}

impl CleanShutdown {
    /// The file's name in a log directory.
    pub const FILE: &'static str = ".kafka_cleanshutdown";

    /// Reads the marker; nothing in it is an error.
    pub fn parse(content: &[u8]) -> Self {
        let epoch = core::str::from_utf8(content).ok().and_then(broker_epoch);
        Self { broker_epoch: epoch.filter(|epoch| *epoch >= 0) }
    }

    /// The marker's text, without a newline at the end; epoch -1 when there is none.
    pub fn format(&self) -> String {
        format!("{{\"version\":0,\"brokerEpoch\":{}}}", self.broker_epoch.unwrap_or(-1))
    }
}

/// The number behind `brokerEpoch` in a flat JSON object of numbers.
fn broker_epoch(text: &str) -> Option<i64> {
    let members = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    members.split(',').find_map(|member| {
        let (key, value) = member.split_once(':')?;
        (key.trim() == "\"brokerEpoch\"").then(|| value.trim().parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::CleanShutdown;

    #[test]
    fn marker_is_kafkas() {
        let marker = CleanShutdown { broker_epoch: Some(13) };
        assert_eq!(marker.format(), "{\"version\":0,\"brokerEpoch\":13}");
        assert_eq!(CleanShutdown::parse(marker.format().as_bytes()), marker);
        assert_eq!(CleanShutdown::parse(b" { \"brokerEpoch\" : 7 } \n").broker_epoch, Some(7));
    }

    #[test]
    fn unreadable_marker_has_no_epoch() {
        for text in ["", "{", "{}", "{\"brokerEpoch\":\"7\"}", "{\"brokerEpoch\":-1}", "[7]"] {
            assert_eq!(CleanShutdown::parse(text.as_bytes()).broker_epoch, None, "{text}");
        }
        assert_eq!(CleanShutdown::parse(b"\xff").broker_epoch, None);
        let none = CleanShutdown { broker_epoch: None };
        assert_eq!(CleanShutdown::parse(none.format().as_bytes()), none);
    }
}
