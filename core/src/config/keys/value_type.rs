//! What the value of a key may be, and Kafka's words for one that it may not be (`ConfigDef`).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use super::value::{Value, all_differ, parts, protocol_of, split, voter};
use crate::config::{CompressionLevels, listeners};

/// What a key's value may be. Blanks around values and around the parts of a list do not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Anything.
    Text,
    /// Anything but nothing.
    NonEmptyText,
    /// One of these.
    Word(&'static [&'static str]),
    /// One of these, in any case.
    WordInAnyCase(&'static [&'static str]),
    /// A 16-bit number, both ends included.
    Short {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A 32-bit number, both ends included.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A 64-bit number, both ends included.
    Long {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// -1, or a number from 1 to 9.
    GzipLevel,
    /// A number with a fraction, both ends included.
    Double {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    /// Some of these, by comma, each once; any where none is named.
    List(&'static [&'static str]),
    /// The same, and at least one.
    NonEmptyList(&'static [&'static str]),
    /// The name of a Java class. There are none here.
    Class,
    /// A secret, which is never told.
    Password,
    /// `partition:broker` pairs by comma, or `*` for all.
    ThrottledReplicas,
    /// `earliest`, `latest`, or `by_duration:` with an ISO 8601 duration.
    OffsetReset,
    /// A name.
    Name,
    /// Names, by comma.
    Names,
    /// Paths, by comma; at least one.
    Directories,
    /// `NAME://host:port`, by comma; at least one.
    Listeners,
    /// `NAME:PROTOCOL`, by comma.
    ProtocolMap,
    /// `host:port`, by comma.
    Endpoints,
    /// `id@host:port`, by comma.
    Voters,
}

/// The names of Kafka's security protocols (`SecurityProtocol`).
pub(super) const PROTOCOLS: &[&str] = &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

impl ValueType {
    /// Any 16-bit number.
    pub(super) const SHORT: Self = Self::Short { min: i16::MIN as i64, max: i16::MAX as i64 };
    /// Any 32-bit number.
    pub(super) const INT: Self = Self::Int { min: i32::MIN as i64, max: i32::MAX as i64 };
    /// Any 64-bit number.
    pub(super) const LONG: Self = Self::Long { min: i64::MIN, max: i64::MAX };
    /// Any number with a fraction.
    pub(super) const DOUBLE: Self = Self::Double { min: f64::MIN, max: f64::MAX };

    /// A 16-bit number that is not less.
    pub(super) const fn short_from(min: i64) -> Self {
        Self::Short { min, max: i16::MAX as i64 }
    }

    /// A 32-bit number that is not less.
    pub(super) const fn int_from(min: i64) -> Self {
        Self::Int { min, max: i32::MAX as i64 }
    }

    /// A 64-bit number that is not less.
    pub(super) const fn long_from(min: i64) -> Self {
        Self::Long { min, max: i64::MAX }
    }

    /// As DescribeConfigs says it (`DescribeConfigsResponse.ConfigType`).
    pub fn wire_type(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text
            | Self::NonEmptyText
            | Self::Word(_)
            | Self::WordInAnyCase(_)
            | Self::OffsetReset
            | Self::Name
            | Self::ProtocolMap => 2,
            Self::Int { .. } | Self::GzipLevel => 3,
            Self::Short { .. } => 4,
            Self::Long { .. } => 5,
            Self::Double { .. } => 6,
            Self::List(_)
            | Self::NonEmptyList(_)
            | Self::ThrottledReplicas
            | Self::Names
            | Self::Directories
            | Self::Listeners
            | Self::Endpoints
            | Self::Voters => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Values can be appended to it, and subtracted.
    pub fn is_list(self) -> bool {
        self.wire_type() == 7
    }

    /// Its values are never told.
    pub fn is_sensitive(self) -> bool {
        self == Self::Password
    }

    /// Checks a value as Kafka does; the message of its `ConfigException` when it may not be.
    pub fn check(self, name: &str, text: &str) -> Result<(), String> {
        let trimmed = text.trim();
        match self {
            Self::Boolean if boolean(trimmed).is_none() => {
                invalid(name, text, "Expected value to be either true or false")
            }
            Self::Short { .. }
            | Self::Int { .. }
            | Self::Long { .. }
            | Self::GzipLevel
            | Self::Double { .. } => self.check_number(name, text),
            Self::NonEmptyText if trimmed.is_empty() => {
                invalid(name, trimmed, "String must be non-empty")
            }
            Self::Word(words) if !words.contains(&trimmed) => {
                invalid(name, trimmed, &format!("String must be one of: {}", words.join(", ")))
            }
            Self::WordInAnyCase(words)
                if !words.iter().any(|word| word.eq_ignore_ascii_case(trimmed)) =>
            {
                let words = words.join(", ");
                let reason = format!("String must be one of (case insensitive): {words}");
                invalid(name, trimmed, &reason)
            }
            Self::NonEmptyList(words) if trimmed.is_empty() => {
                let words = match words {
                    [] => "any non-empty value".to_string(),
                    words => format!("[{}]", words.join(", ")),
                };
                Err(format!(
                    "Configuration '{name}' must not be empty. Valid values include: {words}"
                ))
            }
            Self::List(words) | Self::NonEmptyList(words) => {
                check_list(name, &split(trimmed), words)
            }
            Self::Class => invalid(name, text, &format!("Class {text} could not be found.")),
            Self::ThrottledReplicas => check_throttled_replicas(name, trimmed),
            Self::OffsetReset => check_offset_reset(name, trimmed),
            Self::Name
            | Self::Names
            | Self::Directories
            | Self::Listeners
            | Self::ProtocolMap
            | Self::Endpoints
            | Self::Voters
                if self.read(text).is_none() =>
            {
                invalid(name, text, &format!("Expected {}", self.allowed()))
            }
            _ => Ok(()),
        }
    }

    fn check_number(self, name: &str, text: &str) -> Result<(), String> {
        let trimmed = text.trim();
        let no_number = |kind| invalid(name, text, &format!("Not a number of type {kind}"));
        match self {
            Self::Short { min, max } => match trimmed.parse::<i16>() {
                Ok(number) => within(name, i64::from(number), (min, max)),
                Err(_) => no_number("SHORT"),
            },
            Self::Int { min, max } => match trimmed.parse::<i32>() {
                Ok(number) => within(name, i64::from(number), (min, max)),
                Err(_) => no_number("INT"),
            },
            Self::GzipLevel => match trimmed.parse::<i32>() {
                Ok(-1 | 1..=9) => Ok(()),
                Ok(number) => {
                    let reason = "Value must be between 1 and 9 or equal to -1";
                    invalid(name, &number.to_string(), reason)
                }
                Err(_) => no_number("INT"),
            },
            Self::Double { min, max } => match double(trimmed) {
                Some(number) if number < min => {
                    invalid(name, &shown(number), &format!("Value must be at least {min}"))
                }
                Some(number) if number > max => {
                    invalid(name, &shown(number), &format!("Value must be no more than {max}"))
                }
                Some(_) => Ok(()),
                None => no_number("DOUBLE"),
            },
            Self::Long { min, max } => match trimmed.parse::<i64>() {
                Ok(number) => within(name, number, (min, max)),
                Err(_) => no_number("LONG"),
            },
            _ => Ok(()),
        }
    }

    /// A value that passed its [`check`](Self::check) as Kafka tells it: without blanks, numbers and
    /// booleans in their usual form, each part of a list once.
    pub fn canonical(self, text: &str) -> String {
        let trimmed = text.trim();
        match self {
            Self::Boolean => trimmed.to_ascii_lowercase(),
            Self::Short { .. } | Self::Int { .. } | Self::Long { .. } | Self::GzipLevel => trimmed
                .parse()
                .map_or_else(|_| trimmed.to_string(), |number: i64| number.to_string()),
            Self::Double { .. } => double(trimmed).map_or_else(|| trimmed.to_string(), shown),
            _ if self.is_list() => {
                let mut list = split(trimmed);
                let mut seen = alloc::collections::BTreeSet::new();
                list.retain(|part| seen.insert(*part));
                list.join(",")
            }
            _ => trimmed.to_string(),
        }
    }

    /// What may be written, as a phrase for an error message.
    pub fn allowed(self) -> String {
        match self {
            Self::Boolean => "true or false".to_string(),
            Self::Text | Self::Password => "any text".to_string(),
            Self::NonEmptyText => "any text but none".to_string(),
            Self::Short { min, max } | Self::Int { min, max } | Self::Long { min, max } => {
                format!("an integer from {min} to {max}")
            }
            Self::GzipLevel => format!("one of {}", CompressionLevels::GZIP.join(", ")),
            Self::Double { min, max } => format!("a number from {min:?} to {max:?}"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::WordInAnyCase(words) => format!("one of {}, in any case", words.join(", ")),
            Self::List([]) => "a list by comma, each part once".to_string(),
            Self::NonEmptyList([]) => {
                "a list by comma, of at least one part, each once".to_string()
            }
            Self::List(words) | Self::NonEmptyList(words) => {
                format!("a list of {}", words.join(", "))
            }
            Self::Class => "nothing: no Java classes are loaded here".to_string(),
            Self::ThrottledReplicas => "partition:broker pairs, by comma, or *".to_string(),
            Self::OffsetReset => {
                "earliest, latest or by_duration: with an ISO 8601 duration".to_string()
            }
            Self::Name => "a name".to_string(),
            Self::Names => "names, by comma".to_string(),
            Self::Directories => "directories, by comma, each once".to_string(),
            Self::Listeners => "NAME://host:port, by comma, each name and each address once, an \
                                IPv6 address in brackets, ports from 0 to 65535"
                .to_string(),
            Self::ProtocolMap => {
                format!("NAME:PROTOCOL, by comma, the protocol one of {}", PROTOCOLS.join(", "))
            }
            Self::Endpoints => "host:port, by comma".to_string(),
            Self::Voters => "id@host:port, by comma".to_string(),
        }
    }

    /// Reads a value; `None` when it is not [`allowed`](Self::allowed).
    pub(in crate::config) fn read(self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        match self {
            Self::Name => (!trimmed.is_empty()).then(|| Value::Text(trimmed.to_string())),
            Self::Names => Some(Value::List(parts(trimmed))),
            Self::Directories => {
                let list = parts(trimmed);
                (!list.is_empty() && all_differ(&list)).then_some(Value::List(list))
            }
            Self::Listeners => listeners::read(trimmed).map(Value::Listeners),
            Self::ProtocolMap => {
                let pairs = parts(trimmed);
                let pairs = pairs.iter().map(|part| protocol_of(part));
                pairs.collect::<Option<BTreeMap<_, _>>>().map(Value::Map)
            }
            Self::Endpoints => {
                let list = parts(trimmed);
                list.iter()
                    .all(|part| listeners::endpoint(part).is_some_and(|(host, _)| !host.is_empty()))
                    .then_some(Value::List(list))
            }
            Self::Voters => parts(trimmed)
                .iter()
                .map(|part| voter(part))
                .collect::<Option<_>>()
                .map(Value::Voters),
            _ => {
                self.check("", text).ok()?;
                Some(match self {
                    Self::Boolean => Value::Boolean(boolean(trimmed)?),
                    Self::Short { .. } | Self::Int { .. } | Self::Long { .. } | Self::GzipLevel => {
                        Value::Integer(trimmed.parse().ok()?)
                    }
                    _ if self.is_list() => Value::List(parts(trimmed)),
                    _ => Value::Text(trimmed.to_string()),
                })
            }
        }
    }
}

fn invalid(name: &str, value: &str, reason: &str) -> Result<(), String> {
    Err(format!("Invalid value {value} for configuration {name}: {reason}"))
}

fn within(name: &str, number: i64, (min, max): (i64, i64)) -> Result<(), String> {
    if number < min {
        return invalid(name, &number.to_string(), &format!("Value must be at least {min}"));
    }
    if number > max {
        return invalid(name, &number.to_string(), &format!("Value must be no more than {max}"));
    }
    Ok(())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Java also takes `NaN` and `Infinity` in exactly that form; they are above every bound here.
fn double(text: &str) -> Option<f64> {
    let is_plain = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(is_plain).then(|| text.parse().ok()).flatten()
}

/// As Java prints it: with a fraction, and with an exponent where the number is large or small.
fn shown(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

/// Parts that stand twice count once, with a warning in Kafka's log.
fn check_list(name: &str, list: &[&str], words: &[&str]) -> Result<(), String> {
    for part in list {
        if part.is_empty() {
            return Err(format!("Configuration '{name}' values must not be empty."));
        }
        if !words.is_empty() && !words.contains(part) {
            let words = words.join(", ");
            return invalid(name, part, &format!("String must be one of: {words}"));
        }
    }
    Ok(())
}

/// `ThrottledReplicaListValidator`.
fn check_throttled_replicas(name: &str, text: &str) -> Result<(), String> {
    let list = split(text);
    let is_pair = |part: &&str| {
        part.split_once(':').is_some_and(|(partition, broker)| {
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number(partition) && is_number(broker)
        })
    };
    if list.iter().all(is_pair) || text == "*" {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    invalid(name, &format!("[{}]", list.join(", ")), &reason)
}

/// `ShareGroupAutoOffsetResetStrategy`.
fn check_offset_reset(name: &str, text: &str) -> Result<(), String> {
    let is_duration = || text.strip_prefix("by_duration:").is_some_and(is_iso_duration);
    if matches!(text, "latest" | "earliest") || is_duration() {
        return Ok(());
    }
    let reason = format!(
        "Invalid value `{text}` for configuration {name}. The value must be either 'earliest', \
         'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
    );
    invalid(name, text, &reason)
}

/// `PnDTnHnMn.nS`, not negative: some of the parts, in this order.
fn is_iso_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['P', 'p']) else { return false };
    let (days, times) = match rest.split_once(['T', 't']) {
        Some((_, "")) => return false,
        Some((days, times)) => (days, times),
        None => (rest, ""),
    };
    let takes = |mut text: &str, units: &[char]| {
        for unit in units {
            if let Some((number, rest)) = text.split_once([*unit, unit.to_ascii_lowercase()]) {
                let mut halves = number.splitn(2, '.');
                let digits = |half: Option<&str>| {
                    half.is_some_and(|half| {
                        !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_digit())
                    })
                };
                let whole = digits(halves.next());
                let has_fraction = number.contains('.');
                if !whole || has_fraction && (*unit != 'S' || !digits(halves.next())) {
                    return false;
                }
                text = rest;
            }
        }
        text.is_empty()
    };
    !rest.is_empty() && takes(days, &['D']) && takes(times, &['H', 'M', 'S'])
}
