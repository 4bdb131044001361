//! How logs are compacted.

/// The broker's settings of compaction (`CleanerConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`.
    pub is_enabled: bool,
    /// `log.cleaner.threads`: logs that are compacted at once.
    pub threads: usize,
    /// `log.cleaner.backoff.ms`: between two looks for a log to compact, when there was none.
    pub backoff_ms: u64,
    /// `log.cleaner.dedupe.buffer.size`: bytes that the keys of all compactions may take. They take what they need.
    pub dedupe_bytes: u64,
    /// `log.cleaner.io.buffer.load.factor`: how much of that may be filled, in millionths.
    pub dedupe_load_ppm: u32,
    /// `log.cleaner.io.buffer.size`: bytes of what all compactions read and write at once.
    pub io_buffer_bytes: u64,
    /// `log.cleaner.io.max.bytes.per.second`: what they read and write in all; `None` for no limit.
    pub io_bytes_per_second: Option<u64>,
}

impl Default for CleanerConfig {
    /// Kafka 4.3's defaults.
    fn default() -> Self {
        Self {
            is_enabled: true,
            threads: 1,
            backoff_ms: 15_000,
            dedupe_bytes: 128 << 20,
            dedupe_load_ppm: 900_000,
            io_buffer_bytes: 512 << 10,
            io_bytes_per_second: None,
        }
    }
}

impl CleanerConfig {
    /// The keys that change while the broker runs.
    pub const DYNAMIC: [&str; 6] = [
        "log.cleaner.threads",
        "log.cleaner.backoff.ms",
        "log.cleaner.dedupe.buffer.size",
        "log.cleaner.io.buffer.load.factor",
        "log.cleaner.io.buffer.size",
        "log.cleaner.io.max.bytes.per.second",
    ];

    /// Takes over the value of one of those keys; `None`, and nothing changes, for what is no value.
    pub fn set(&mut self, key: &str, value: &str) -> Option<()> {
        let text = value.trim();
        match key {
            "log.cleaner.threads" => self.threads = text.parse().ok()?,
            "log.cleaner.backoff.ms" => self.backoff_ms = text.parse().ok()?,
            "log.cleaner.dedupe.buffer.size" => self.dedupe_bytes = text.parse().ok()?,
            "log.cleaner.io.buffer.load.factor" => self.dedupe_load_ppm = millionths(text)?,
            "log.cleaner.io.buffer.size" => self.io_buffer_bytes = text.parse().ok()?,
            "log.cleaner.io.max.bytes.per.second" => {
                let bytes: f64 = text.parse().ok().filter(|bytes: &f64| *bytes > 0.0)?;
                self.io_bytes_per_second = (bytes < 1e18).then_some((bytes as u64).max(1));
            }
            _ => return None,
        }
        Some(())
    }

    /// Bytes of the keys of one compaction.
    pub fn dedupe_bytes_each(&self) -> usize {
        // Kafka's tables are arrays, which have no more (`LogCleaner.CleanerThread`).
        let each = self.dedupe_bytes / self.threads.max(1) as u64;
        usize::try_from(each.min(i32::MAX as u64)).unwrap_or(usize::MAX)
    }
}

/// A part of one, in millionths.
pub(super) fn millionths(text: &str) -> Option<u32> {
    let part: f64 = text.trim().parse().ok()?;
    (0.0..=1.0).contains(&part).then_some((part * 1e6 + 0.5) as u32)
}

#[cfg(test)]
mod tests {
    use super::CleanerConfig;
    use crate::config::keys;

    #[test]
    fn defaults_are_those_of_the_keys() {
        let mut config = CleanerConfig::default();
        for name in CleanerConfig::DYNAMIC {
            let key = keys::find(name).expect("it is a key");
            assert!(key.is_dynamic(), "{name}");
            assert_eq!(config.set(name, key.default.expect("it has one")), Some(()), "{name}");
        }
        assert_eq!(config, CleanerConfig::default());
    }

    #[test]
    fn values_are_taken_in_their_units() {
        let mut config = CleanerConfig::default();
        assert_eq!(config.set("log.cleaner.io.max.bytes.per.second", "1.5E6"), Some(()));
        assert_eq!(config.io_bytes_per_second, Some(1_500_000));
        assert_eq!(config.set("log.cleaner.io.buffer.load.factor", "0.25"), Some(()));
        assert_eq!(config.dedupe_load_ppm, 250_000);
        assert_eq!(config.set("log.cleaner.threads", "4"), Some(()));
        assert_eq!(config.dedupe_bytes_each(), 32 << 20);
        assert_eq!(config.set("log.cleaner.threads", "many"), None);
        assert_eq!(config.threads, 4);
    }
}
