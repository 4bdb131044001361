//! Settings, as clients are told and change them, beside Apache Kafka 4.3.1 with the same `server.properties`.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_core::api::ApiKey;
use klamm_core::api::describe_configs::{DescribeConfigsResourceResult, DescribeConfigsResponse};
use klamm_core::api::list_config_resources::ListConfigResourcesResponse;
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::read_response_header;
use klamm_core::time::Millis;
use klamm_tests::recorded::{self, Exchange, frames};
use klamm_tests::wire::explain_response;

/// Cases that answer otherwise, each on purpose.
const OPEN: &[(&str, &[&str])] = &[
    (
        "the server's log has no loggers that could be set one by one",
        &[
            "incremental-alter-configs.v1.logger.set",
            "incremental-alter-configs.v1.logger.bad-level",
            "incremental-alter-configs.v1.logger.delete-root",
            "incremental-alter-configs.v1.logger.back",
            "incremental-alter-configs.v1.logger.op9",
            "describe-configs.v4.logger.root",
        ],
    ),
    ("names in the order of a hash set", &["incremental-alter-configs.v1.broker.static-two"]),
    (
        "Kafka takes a change of threads over a moment after it has answered",
        &[
            "incremental-alter-configs.v1.broker.threads-many",
            "incremental-alter-configs.v1.broker.threads-few",
        ],
    ),
    (
        "listeners and cordoned directories change with a restart",
        &[
            "incremental-alter-configs.v1.broker.per-broker-in-default",
            "incremental-alter-configs.v1.broker.cordoned",
        ],
    ),
];

/// Keys of the broker that are told otherwise, each on purpose.
const OWN_KEYS: &[&str] = &[
    // Not Kafka's.
    "klamm.driver",
    "klamm.durability",
    // A first start without a file needs nothing.
    "controller.listener.names",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "node.id",
    "process.roles",
    // They change with a restart.
    "cordoned.log.dirs",
];

#[test]
fn answers_are_kafkas() {
    let mut node = recorded::configured_node();
    let open: BTreeMap<&str, &str> = OPEN
        .iter()
        .flat_map(|(reason, names)| names.iter().map(move |name| (*name, *reason)))
        .collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for exchange in recorded::config_exchanges() {
        count += 1;
        let name = exchange.name.as_str();
        let mut client = node.connect();
        let mut answer = client.send(&mut node, &exchange.request);
        answer.extend(client.wait(&mut node, Millis(1_000)));
        let is_closed = client.is_closed();
        client.close(&mut node);
        let agrees = is_closed == exchange.response.is_none() && agree(&exchange, &answer);
        match (agrees, open.get(name)) {
            (false, None) => wrong.push(difference(&exchange, &answer)),
            (true, Some(_)) => wrong.push(format!("{name} agrees now: strike it")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((count, open.len()), (266, 11), "each is compared or listed");
}

/// The two answers, in which neither resources nor settings have an order.
fn agree(exchange: &Exchange, answer: &[u8]) -> bool {
    let kafkas = exchange.response.as_deref().unwrap_or_default();
    match (described(exchange, kafkas), described(exchange, answer)) {
        (Some(kafkas), Some(ours)) => return kafkas == ours,
        (None, None) => {}
        _ => return false,
    }
    match (listed(exchange, kafkas), listed(exchange, answer)) {
        (Some(kafkas), Some(ours)) => kafkas == ours,
        _ => kafkas == answer,
    }
}

fn described(exchange: &Exchange, answer: &[u8]) -> Option<DescribeConfigsResponse> {
    let mut response: DescribeConfigsResponse = read(exchange, answer, ApiKey::DESCRIBE_CONFIGS)?;
    for result in &mut response.results {
        if result.resource_name == "1" && result.resource_type == 4 {
            let is_kafkas =
                |config: &DescribeConfigsResourceResult| !OWN_KEYS.contains(&&*config.name);
            result.configs.retain(is_kafkas);
        }
        result.configs.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Some(response)
}

fn listed(exchange: &Exchange, answer: &[u8]) -> Option<ListConfigResourcesResponse> {
    let mut response: ListConfigResourcesResponse =
        read(exchange, answer, ApiKey::LIST_CONFIG_RESOURCES)?;
    response.config_resources.sort_by(|a, b| {
        (a.resource_type, &a.resource_name).cmp(&(b.resource_type, &b.resource_name))
    });
    Some(response)
}

/// Reads the answer when the request was of this API.
fn read<M: Message>(exchange: &Exchange, answer: &[u8], key: ApiKey) -> Option<M> {
    let request = frames(&exchange.request).remove(0);
    let field = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
    if ApiKey(field(0)) != key {
        return None;
    }
    let frame: Bytes = frames(answer).into_iter().next()?;
    let mut reader = Reader::new(&frame);
    read_response_header(&mut reader, key.api()?, field(2)).ok()?;
    let message = M::read(&mut reader, field(2)).ok()?;
    (reader.remaining() == 0).then_some(message)
}

/// What either has that the other has not.
fn difference(exchange: &Exchange, answer: &[u8]) -> String {
    let kafkas = exchange.response.as_deref().unwrap_or_default();
    if let (Some(kafkas), Some(ours)) = (described(exchange, kafkas), described(exchange, answer)) {
        let lines = |response: &DescribeConfigsResponse| -> Vec<String> {
            let results = response.results.iter().flat_map(|result| {
                let head = format!(
                    "{} {} {:?} {:?}",
                    result.resource_type,
                    result.resource_name,
                    result.error_code,
                    result.error_message
                );
                let configs = result.configs.iter().map(|config| format!("{config:?}"));
                std::iter::once(head).chain(configs).collect::<Vec<_>>()
            });
            results.collect()
        };
        return both(&exchange.name, &lines(&kafkas), &lines(&ours));
    }
    let lines = |answer| -> Vec<String> {
        let explained = explain_response(&exchange.request, answer);
        explained.lines().map(|line| line.get(6..).unwrap_or(line).to_owned()).collect()
    };
    both(&exchange.name, &lines(kafkas), &lines(answer))
}

fn both(name: &str, kafkas: &[String], ours: &[String]) -> String {
    let beyond = |own: &[String], other: &[String]| {
        let own: Vec<_> = own.iter().filter(|line| !other.contains(line)).cloned().collect();
        own.join("\n    ")
    };
    format!("{name}\n  Kafka\n    {}\n  here\n    {}", beyond(kafkas, ours), beyond(ours, kafkas))
}
