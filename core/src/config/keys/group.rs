//! The keys of groups (`GroupConfig`), with the broker's keys that give what a group does not say,
//! and between which its own must lie. They are kept for the groups to come.

use super::{Key, ValueType};

/// A key of groups.
#[derive(Clone, Copy, Debug)]
pub struct GroupKey {
    /// The key itself.
    pub key: Key,
    /// The broker's key for it.
    pub broker_key: Option<&'static str>,
    /// The broker's key for its least value.
    pub least_key: Option<&'static str>,
    /// The broker's key for its greatest value.
    pub most_key: Option<&'static str>,
}

/// A key of groups, by its name.
pub fn find(name: &str) -> Option<&'static GroupKey> {
    KEYS.iter().find(|group_key| group_key.key.name == name)
}

/// A session ends later than a heartbeat is due: keys that must be in that order.
pub const SESSIONS_AND_HEARTBEATS: [(&str, &str); 3] = [
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

/// By name.
pub const KEYS: &[GroupKey] = &[
    new("consumer.assignment.interval.ms", ValueType::int_from(0), "1000")
        .of("group.consumer.assignment.interval.ms")
        .from("group.consumer.min.assignment.interval.ms")
        .to("group.consumer.max.assignment.interval.ms"),
    new("consumer.heartbeat.interval.ms", ValueType::int_from(1), "5000")
        .of("group.consumer.heartbeat.interval.ms")
        .from("group.consumer.min.heartbeat.interval.ms")
        .to("group.consumer.max.heartbeat.interval.ms"),
    new("consumer.session.timeout.ms", ValueType::int_from(1), "45000")
        .of("group.consumer.session.timeout.ms")
        .from("group.consumer.min.session.timeout.ms")
        .to("group.consumer.max.session.timeout.ms"),
    new("share.assignment.interval.ms", ValueType::int_from(0), "1000")
        .of("group.share.assignment.interval.ms")
        .from("group.share.min.assignment.interval.ms")
        .to("group.share.max.assignment.interval.ms"),
    new("share.auto.offset.reset", ValueType::OffsetReset, "latest"),
    new("share.delivery.count.limit", ValueType::int_from(2), "5")
        .of("group.share.delivery.count.limit")
        .from("group.share.min.delivery.count.limit")
        .to("group.share.max.delivery.count.limit"),
    new("share.heartbeat.interval.ms", ValueType::int_from(1), "5000")
        .of("group.share.heartbeat.interval.ms")
        .from("group.share.min.heartbeat.interval.ms")
        .to("group.share.max.heartbeat.interval.ms"),
    new("share.isolation.level", ISOLATION_LEVEL, "read_uncommitted"),
    new("share.partition.max.record.locks", ValueType::int_from(100), "2000")
        .of("group.share.partition.max.record.locks")
        .from("group.share.min.partition.max.record.locks")
        .to("group.share.max.partition.max.record.locks"),
    new("share.record.lock.duration.ms", ValueType::int_from(1000), "30000")
        .of("group.share.record.lock.duration.ms")
        .from("group.share.min.record.lock.duration.ms")
        .to("group.share.max.record.lock.duration.ms"),
    new("share.renew.acknowledge.enable", ValueType::Boolean, "true"),
    new("share.session.timeout.ms", ValueType::int_from(1), "45000")
        .of("group.share.session.timeout.ms")
        .from("group.share.min.session.timeout.ms")
        .to("group.share.max.session.timeout.ms"),
    new("streams.assignment.interval.ms", ValueType::int_from(0), "1000")
        .of("group.streams.assignment.interval.ms")
        .from("group.streams.min.assignment.interval.ms")
        .to("group.streams.max.assignment.interval.ms"),
    new("streams.heartbeat.interval.ms", ValueType::int_from(1), "5000")
        .of("group.streams.heartbeat.interval.ms")
        .from("group.streams.min.heartbeat.interval.ms")
        .to("group.streams.max.heartbeat.interval.ms"),
    new("streams.initial.rebalance.delay.ms", ValueType::int_from(0), "3000")
        .of("group.streams.initial.rebalance.delay.ms"),
    new("streams.num.standby.replicas", ValueType::int_from(0), "0")
        .of("group.streams.num.standby.replicas")
        .to("group.streams.max.standby.replicas"),
    new("streams.session.timeout.ms", ValueType::int_from(1), "45000")
        .of("group.streams.session.timeout.ms")
        .from("group.streams.min.session.timeout.ms")
        .to("group.streams.max.session.timeout.ms"),
];

const ISOLATION_LEVEL: ValueType = ValueType::Word(&["read_committed", "read_uncommitted"]);

const fn new(name: &'static str, value_type: ValueType, default: &'static str) -> GroupKey {
    let key = Key::new(name, value_type, Some(default));
    GroupKey { key, broker_key: None, least_key: None, most_key: None }
}

impl GroupKey {
    const fn of(self, broker_key: &'static str) -> Self {
        Self { broker_key: Some(broker_key), ..self }
    }

    const fn from(self, least_key: &'static str) -> Self {
        Self { least_key: Some(least_key), ..self }
    }

    const fn to(self, most_key: &'static str) -> Self {
        Self { most_key: Some(most_key), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[test]
    fn defaults_are_the_brokers_and_lie_between_its_bounds() {
        assert_eq!(KEYS.len(), 17);
        assert!(KEYS.is_sorted_by_key(|group_key| group_key.key.name));
        for GroupKey { key, broker_key, least_key, most_key } in KEYS {
            let default = key.default.expect("a default");
            assert_eq!(key.check(default), Ok(()), "{}", key.name);
            let of_broker = |name: &str| keys::find(name).expect("a key of the broker").default;
            if let Some(broker_key) = broker_key {
                assert_eq!(of_broker(broker_key), Some(default));
            }
            let number = |text: &str| text.parse::<i64>().expect("a number");
            let bound = |name: &str| number(of_broker(name).expect("a bound"));
            assert!(least_key.is_none_or(|least| bound(least) <= number(default)), "{}", key.name);
            assert!(most_key.is_none_or(|most| number(default) <= bound(most)), "{}", key.name);
        }
        for (session, heartbeat) in SESSIONS_AND_HEARTBEATS {
            assert!(find(session).is_some() && find(heartbeat).is_some());
        }
    }
}
