//! Which settings a broker, a group or a subscription to client metrics may have. Topics have theirs
//! beside this.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::layers::{self, BrokerLayers};
use crate::broker::topic_config::Settings;
use crate::config::keys::client_metrics::{self, MATCHED};
use crate::config::keys::group::{self, SESSIONS_AND_HEARTBEATS};
use crate::config::keys::{self, Key, Update};
use crate::error_code::ErrorCode;
use crate::refusal::Refusal;

/// What is set while the broker runs: for this broker, or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    ThisBroker,
    AllBrokers,
}

/// Whether `next` may be what was set for `reach`, in place of what `present` has there
/// (`DynamicBrokerConfig.validate`).
pub(super) fn check_broker(
    next: &Settings,
    reach: Reach,
    present: &BrokerLayers<'_>,
) -> Result<(), Refusal> {
    let names_where = |is_refused: &dyn Fn(&str) -> bool| {
        next.keys().map(|name| &**name).filter(|name| is_refused(name)).collect::<Vec<_>>()
    };
    let refuse_all = |names: Vec<&str>, words: &str| match &*names {
        [] => Ok(()),
        names => invalid(format!("{words}: [{}]", names.join(", "))),
    };
    let has_update = |name: &str, update| keys::find(name).is_some_and(|key| key.update == update);
    refuse_all(
        names_where(&|name| has_update(name, Update::AtStart)),
        "Cannot update these configs dynamically",
    )?;
    refuse_all(
        names_where(&|name| has_update(name, Update::PerListener)),
        "These security configs can be dynamically updated only per-listener using the listener \
         prefix",
    )?;
    for (name, value) in next {
        let base = layers::base_name(name).unwrap_or(name);
        if let Some(key) = keys::find(base) {
            key.check(value)
                .map_err(|message| Refusal::new(ErrorCode::INVALID_REQUEST, message))?;
        }
    }
    if reach == Reach::AllBrokers {
        refuse_all(
            names_where(&|name| is_of_one_broker(name)),
            "Cannot update these configs at default cluster level, broker id must be specified",
        )?;
    }
    let next = match reach {
        Reach::ThisBroker => BrokerLayers { this: Some(next), ..*present },
        Reach::AllBrokers => BrokerLayers { all: Some(next), ..*present },
    };
    check_together(&next)?;
    check_change(&next, present)
}

/// A listener's key that every broker has its own of.
fn is_of_one_broker(name: &str) -> bool {
    const OF_ALL: [&str; 3] =
        ["max.connections", "max.connection.creation.rate", "num.network.threads"];
    layers::base_name(name).is_some_and(|base| !OF_ALL.contains(&base))
}

/// What must hold of the settings in force (`KafkaConfig.validateValues`).
fn check_together(next: &BrokerLayers<'_>) -> Result<(), Refusal> {
    // The finest unit that is set counts.
    let finest = |names: &[&str]| names.iter().find_map(|name| next.integer(name));
    let at_least = |names: &[&str], least| finest(names).is_none_or(|number| number >= least);
    let requirements = [
        (
            at_least(&["log.roll.ms", "log.roll.hours"], 1),
            "log.roll.ms must be greater than or equal to 1",
        ),
        (
            at_least(&["log.roll.jitter.ms", "log.roll.jitter.hours"], 0),
            "log.roll.jitter.ms must be greater than or equal to 0",
        ),
        (
            finest(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"])
                != Some(0),
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            next.integer("log.cleaner.dedupe.buffer.size")
                .zip(next.integer("log.cleaner.threads"))
                .is_none_or(|(bytes, threads)| threads == 0 || bytes / threads > 1 << 20),
            "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        ),
    ];
    match requirements.iter().find(|(holds, _)| !holds) {
        Some((_, words)) => invalid(format!("requirement failed: {words}")),
        None => Ok(()),
    }
}

/// What those parts of Kafka refuse that would take a change over.
fn check_change(next: &BrokerLayers<'_>, present: &BrokerLayers<'_>) -> Result<(), Refusal> {
    let change = |name: &str| {
        let (from, to) = (present.integer(name)?, next.integer(name)?);
        (from != to).then_some((from, to))
    };
    for name in [
        "num.io.threads",
        "num.network.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
    ] {
        let Some((from, to)) = change(name) else { continue };
        let failed =
            format!("Dynamic thread count update validation failed for {name}={to}, value");
        if to < from / 2 {
            return refuse_change(&format!(
                "{failed} should be at least half the current value {from}"
            ));
        }
        if to > from * 2 {
            return refuse_change(&format!(
                "{failed} should not be greater than double the current value {from}"
            ));
        }
    }
    if let Some((_, to @ ..=0)) = change("max.connections") {
        return refuse_change(&format!("Invalid max.connections {to}"));
    }
    if let Some((from, to)) = change("log.cleaner.threads") {
        let words = match to {
            _ if to < 1 => String::from("Log cleaner threads should be at least 1"),
            _ if to < from / 2 => {
                format!(
                    "Log cleaner threads cannot be reduced to less than half the current value {from}"
                )
            }
            _ if to > from * 2 => {
                format!(
                    "Log cleaner threads cannot be increased to more than double the current value {from}"
                )
            }
            _ => String::new(),
        };
        if !words.is_empty() {
            return refuse_change(&words);
        }
    }
    check_local_retention(next)?;
    // No class of a reporter can be had here, and Kafka's own reports to Java alone.
    let reporters =
        |layers: &BrokerLayers<'_>| layers.in_force("metric.reporters").map(String::from);
    if reporters(next) != reporters(present) {
        return refuse_change(
            "Validation of dynamic config update of Set(metric.reporters) failed with class class \
             kafka.server.DynamicMetricsReporters",
        );
    }
    Ok(())
}

/// What stays beside a tier is not more than what stays at all.
fn check_local_retention(next: &BrokerLayers<'_>) -> Result<(), Refusal> {
    let ages = next.integer("log.retention.ms");
    for (local_name, name, whole) in [
        ("log.local.retention.ms", "log.retention.ms", ages),
        ("log.local.retention.bytes", "log.retention.bytes", next.integer("log.retention.bytes")),
    ] {
        let (Some(local), Some(whole)) = (next.integer(local_name), whole) else { continue };
        if whole < 0 || local == -2 {
            continue;
        }
        let wrong =
            format!("Invalid value {local} for configuration {local_name}: Value must not be");
        if local == -1 {
            return refuse_change(&format!("{wrong} -1 as {name} value is set as {whole}."));
        }
        if local > whole {
            return refuse_change(&format!("{wrong} more than {name} property value: {whole}"));
        }
    }
    Ok(())
}

fn refuse_change(words: &str) -> Result<(), Refusal> {
    invalid(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: {words} for configuration \
         Invalid dynamic configuration"
    ))
}

/// Whether a group may have these settings (`GroupConfig.validate`).
pub(super) fn check_group(own: &Settings, broker: &BrokerLayers<'_>) -> Result<(), Refusal> {
    for name in own.keys() {
        if group::find(name).is_none() {
            return refuse(format!("Unknown group config name: {name}"));
        }
    }
    let known = own.iter().filter_map(|(name, value)| Some((group::find(name)?, value)));
    for (group_key, value) in known.clone() {
        check_value(&group_key.key, value)?;
    }
    for (group_key, value) in known {
        let name = group_key.key.name;
        let number = value.trim().parse::<i64>().ok();
        let beyond = |bound: Option<&'static str>, is_beyond: fn(i64, i64) -> bool| {
            let bound = bound?;
            is_beyond(number?, broker.integer(bound)?).then_some(bound)
        };
        if let Some(least) = beyond(group_key.least_key, |number, least| number < least) {
            return refuse(format!("{name} must be greater than or equal to {least}"));
        }
        if let Some(most) = beyond(group_key.most_key, |number, most| number > most) {
            return refuse(format!("{name} must be less than or equal to {most}"));
        }
    }
    let in_force = |name: &str| match own.get(name) {
        Some(value) => value.trim().parse::<i64>().ok(),
        None => broker.integer(group::find(name)?.broker_key?),
    };
    for (session, heartbeat) in SESSIONS_AND_HEARTBEATS {
        let is_said = own.contains_key(session) || own.contains_key(heartbeat);
        if is_said && in_force(session) <= in_force(heartbeat) {
            return refuse(format!("{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

/// Whether a subscription may have these settings (`ClientMetricsConfigs.validate`).
pub(super) fn check_client_metrics(own: &Settings) -> Result<(), Refusal> {
    for name in own.keys() {
        if client_metrics::find(name).is_none() {
            return invalid(format!("Unknown client metrics configuration: {name}"));
        }
    }
    for (key, value) in
        own.iter().filter_map(|(name, value)| Some((client_metrics::find(name)?, value)))
    {
        check_value(key, value)?;
    }
    let interval_ms = own.get("interval.ms").and_then(|value| value.trim().parse::<i32>().ok());
    if let Some(ms) = interval_ms.filter(|ms| !(100..=3_600_000).contains(ms)) {
        return invalid(format!(
            "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        ));
    }
    let patterns = own.get("match").map(|value| value.trim()).unwrap_or_default();
    for pattern in patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        let is_legal = match pattern.split('=').collect::<Vec<_>>().as_slice() {
            [name, expression] => {
                MATCHED.contains(&name.trim()) && is_whole_expression(expression.trim())
            }
            _ => false,
        };
        if !is_legal {
            return refuse(format!("Illegal client matching pattern: {pattern}"));
        }
    }
    Ok(())
}

/// Whether a regular expression closes what it opens and repeats something. Nothing matches by it, so
/// that is all that is asked of it.
fn is_whole_expression(text: &str) -> bool {
    let (mut depth, mut in_class, mut can_repeat) = (0_usize, false, false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next().is_none() => return false,
            ']' if in_class => (in_class, can_repeat) = (false, true),
            _ if in_class => {}
            '[' => in_class = true,
            '(' => {
                // `(?:`, `(?i)` and their like.
                let rest = characters.as_str().strip_prefix('?');
                characters = rest.unwrap_or(characters.as_str()).chars();
                (depth, can_repeat) = (depth + 1, false);
            }
            ')' if depth == 0 => return false,
            ')' => (depth, can_repeat) = (depth - 1, true),
            '*' | '+' | '?' if !can_repeat => return false,
            '|' => can_repeat = false,
            _ => can_repeat = true,
        }
    }
    depth == 0 && !in_class
}

fn check_value(key: &Key, value: &str) -> Result<(), Refusal> {
    key.check(value).map_err(|message| Refusal::new(ErrorCode::INVALID_CONFIG, message))
}

pub(super) fn invalid<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
}

pub(super) fn refuse<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::new(ErrorCode::INVALID_CONFIG, message))
}

#[cfg(test)]
mod tests {
    use super::is_whole_expression;

    #[test]
    fn expressions_close_what_they_open() {
        for whole in ["a.*", "", "(a|b)+", "[a-z(]{1,2}", r"\(", "(?:x)?", "^$", "a|b"] {
            assert!(is_whole_expression(whole), "{whole}");
        }
        for torn in ["(", ")", "[a", "*a", "a\\", "(*)", "|+"] {
            assert!(!is_whole_expression(torn), "{torn}");
        }
    }
}
