//! Exchanges recorded with Apache Kafka 4.3.1, and the broker on which they can be replayed.
//!
//! `conformance/exchanges.jsonl` holds one a line, in the order in which they were sent to one fresh
//! broker: the bytes sent, what came back (`none`: nothing), whether the connection was open
//! afterwards, the ranges of the answer that differ from run to run (position and length), where
//! the ids of fetch sessions, of new topics and of members of groups stand, and how long the broker waited with its
//! answer.
//! One exchange is left out: the first InitProducerId, which Kafka refuses while it has no block of ids.
//! This broker waits for the block, and every later id would differ by one.
//! The topics that the exchanges use first are there from the start, with the settings and ids of that run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use klamm_core::config::{
    CleanerConfig, Config, CreationConfig, Durability, GroupConfig, Limits, Listener,
    MetadataLogConfig, TaskConfig, TopicConfig,
};
use klamm_core::effect::Path;
use klamm_core::ids::Uuid;
use klamm_runtime::compression::Codecs;
use klamm_sim::disk::Disk;
use serde_json::Value;

use crate::directory::{self, NewTopic};
use crate::node::Node;

const EXCHANGES: &str = include_str!("../conformance/exchanges.jsonl");

/// The same of settings, from a broker with [`CONFIGURED`]. Neither the 14 ms that Kafka takes to apply a setting
/// nor the order of an answer is in it.
const CONFIG_EXCHANGES: &str = include_str!("../conformance/configs.jsonl");

/// `server.properties` of that broker.
const CONFIGURED: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.quorum.bootstrap.servers", "127.0.0.1:29393"),
    ("listeners", "PLAINTEXT://127.0.0.1:29392,CONTROLLER://127.0.0.1:29393"),
    ("advertised.listeners", "PLAINTEXT://127.0.0.1:29392,CONTROLLER://127.0.0.1:29393"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    ("controller.listener.names", "CONTROLLER"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
    ("log.dirs", "/tmp/cfg-kafka/data"),
    ("num.partitions", "2"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

/// The broker's clock in the recorded run, as far as timestamps of records were measured by it.
const WALL_MS: i64 = 1_795_344_501_606;

/// All exchanges, in their order.
///
/// # Panics
/// When the file is not what it should be.
pub fn exchanges() -> impl Iterator<Item = Exchange> {
    EXCHANGES.lines().map(Exchange::parse)
}

/// Exchanges about settings, in their order.
///
/// # Panics
/// When the file is not what it should be.
pub fn config_exchanges() -> impl Iterator<Item = Exchange> {
    CONFIG_EXCHANGES.lines().map(Exchange::parse)
}

/// The broker on which [`config_exchanges`] can be replayed: freshly formatted, with the topics `p` and `p2`.
///
/// # Panics
/// When it does not come to be ready.
pub fn configured_node() -> Node {
    let settings = klamm_core::config::parse(CONFIGURED.iter().copied()).expect("allowed");
    let config = settings.config;
    let mut disk = Disk::new();
    let topics = ["p", "p2"].map(|name| NewTopic::new(name, 1));
    for (name, content) in directory::files("MkU3OEVBNTcwNTJENDM2Qg", &topics) {
        disk.put(&config.log_dirs[0].join(&name), &content);
    }
    Node::start(config, disk, Arc::new(Codecs::default()), WALL_MS)
}

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// What was sent.
    pub request: Vec<u8>,
    /// What came back; `None` when the connection closed without a byte.
    pub response: Option<Vec<u8>>,
    /// Whether the connection was open afterwards, where that was looked at.
    pub is_open: Option<bool>,
    /// Ranges of the response that differ from run to run.
    pub varies: Vec<Range<usize>>,
    /// Where the request has the id of a fetch session that an earlier answer gave.
    session_sent: Option<usize>,
    /// Where the answer has the id of a fetch session.
    session_given: Option<usize>,
    /// Where the request has ids of topics that earlier answers gave.
    topics_sent: Vec<usize>,
    /// Where the answer has ids of topics that were created.
    topics_given: Vec<usize>,
    /// Where the request has ids of members that earlier answers gave, with their lengths in front.
    members_sent: Vec<Range<usize>>,
    /// Where the answer has such ids, given before or now.
    members_told: Vec<Range<usize>>,
    /// How long the answer was waited for, in milliseconds, where that is known.
    pub waits_ms: Option<u64>,
}

/// Fetch sessions, topics and members of one replay: their ids as recorded, and as they are here.
#[derive(Clone, Debug, Default)]
pub struct Given {
    sessions: BTreeMap<SessionId, SessionId>,
    topics: BTreeMap<TopicId, TopicId>,
    members: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// As on the wire.
type SessionId = [u8; 4];
type TopicId = [u8; 16];

impl Given {
    /// The request with the ids of here.
    ///
    /// # Panics
    /// When the exchange is not what it should be.
    pub fn request(&self, exchange: &Exchange) -> Vec<u8> {
        let mut request = exchange.request.clone();
        if let Some(at) = exchange.session_sent {
            let id = request[at..].first_chunk_mut().expect("a session's id");
            // One that this broker never gave is as unknown as it stands.
            *id = self.sessions.get(id).copied().unwrap_or(*id);
        }
        for at in &exchange.topics_sent {
            let id = request[*at..].first_chunk_mut().expect("a topic's id");
            *id = self.topics.get(id).copied().unwrap_or(*id);
        }
        self.exchange_members(&mut request, &exchange.members_sent);
        request
    }

    /// What Kafka answered, with the ids of members of here.
    ///
    /// # Panics
    /// When the exchange is not what it should be.
    pub fn response(&self, exchange: &Exchange) -> Option<Vec<u8>> {
        let mut response = exchange.response.clone()?;
        self.exchange_members(&mut response, &exchange.members_told);
        Some(response)
    }

    fn exchange_members(&self, frame: &mut [u8], ranges: &[Range<usize>]) {
        for range in ranges {
            let id = &mut frame[range.clone()];
            if let Some(here) = self.members.get(id) {
                id.copy_from_slice(here);
            }
        }
    }

    /// Takes up the ids in an answer to the exchange's request.
    ///
    /// # Panics
    /// When the exchange is not what it should be.
    pub fn note(&mut self, exchange: &Exchange, answer: &[u8]) {
        for at in &exchange.topics_given {
            let id_in = |answer: &[u8]| answer.get(*at..)?.first_chunk().copied();
            let recorded = exchange.response.as_deref().and_then(id_in).expect("a topic's id");
            if let Some(given) = id_in(answer) {
                self.topics.entry(recorded).or_insert(given);
            }
        }
        for range in &exchange.members_told {
            let id_in = |answer: &[u8]| answer.get(range.clone()).map(<[u8]>::to_vec);
            let recorded = exchange.response.as_deref().and_then(id_in).expect("a member's id");
            if let Some(given) = id_in(answer) {
                self.members.entry(recorded).or_insert(given);
            }
        }
        let Some(at) = exchange.session_given else { return };
        let id_in = |answer: &[u8]| answer.get(at..)?.first_chunk().copied();
        let recorded = exchange.response.as_deref().and_then(id_in).expect("a session's id");
        if let Some(given) = id_in(answer) {
            self.sessions.insert(recorded, given);
        }
    }
}

impl Exchange {
    /// Ranges of the response that are other on each broker: what varies, and ids of members.
    pub fn own_ranges(&self) -> impl Iterator<Item = &Range<usize>> {
        self.varies.iter().chain(&self.members_told)
    }

    fn parse(line: &str) -> Self {
        let fields: Value = serde_json::from_str(line).expect("an exchange a line");
        let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        let position = |field: &Value| field.as_u64().map(|at| at as usize);
        let positions = |field: &Value| -> Vec<usize> {
            field.as_array().into_iter().flatten().filter_map(position).collect()
        };
        let ranges = |field: &Value| -> Vec<Range<usize>> {
            let range = |range: &Value| {
                let number = |at: usize| range[at].as_u64().expect("a position or a length");
                number(0) as usize..(number(0) + number(1)) as usize
            };
            field.as_array().into_iter().flatten().map(range).collect()
        };
        Self {
            name: text("case"),
            request: bytes_of(&text("request")),
            response: match &*text("response") {
                "closed" => None,
                "none" => Some(Vec::new()),
                hex => Some(bytes_of(hex)),
            },
            is_open: match &*text("then") {
                "open" => Some(true),
                "closed" => Some(false),
                _ => None,
            },
            varies: ranges(&fields["varies"]),
            session_sent: position(&fields["session"]["request"]),
            session_given: position(&fields["session"]["response"]),
            topics_sent: positions(&fields["topic_ids"]["request"]),
            topics_given: positions(&fields["topic_ids"]["response"]),
            members_sent: ranges(&fields["members"]["request"]),
            members_told: ranges(&fields["members"]["response"]),
            waits_ms: fields["waits_ms"].as_u64(),
        }
    }
}

/// The topics of the recorded run.
pub fn topics() -> Vec<NewTopic> {
    let configured = |name: &str, key: &str, value: &str| NewTopic {
        configs: vec![(key.to_owned(), value.to_owned())],
        ..NewTopic::new(name, 1)
    };
    let known = |name: &str, partitions, id: u128| NewTopic {
        id: Some(Uuid(id.to_be_bytes())),
        ..NewTopic::new(name, partitions)
    };
    vec![
        known("p", 1, 0xa95a_75ac_da4d_4994_986f_88ca_b44d_792c),
        known("p2", 2, 0x45df_8042_dd54_44df_bc6b_042d_96ce_5fcd),
        configured("p-lat", "message.timestamp.type", "LogAppendTime"),
        configured("p-compact", "cleanup.policy", "compact"),
        configured("p-gzip", "compression.type", "gzip"),
        configured("p-small", "max.message.bytes", "200"),
        configured("p-before", "message.timestamp.before.max.ms", "1000"),
        configured("p-minisr", "min.insync.replicas", "2"),
        known("f", 1, 0x3c43_c5ca_96da_4f4b_abd2_f8f9_6dfb_9eba),
        known("fempty", 1, 0x226e_be25_6e99_4c0a_93e5_b890_e5f3_1bb6),
        known("f2", 2, 0x8fa0_1808_cfb0_4b91_b78d_bcec_225e_1be0),
        NewTopic::new("lo", 1),
        NewTopic::new("loempty", 1),
        known("d8", 8, 0x006b_cbe2_94a1_4ce6_b348_2a78_dee3_3ad1),
        known("idem", 1, 0xf4c6_d076_2f5a_4c8f_b8fb_660f_65f9_5813),
        known("txn", 1, 0x23c0_51de_20ff_4633_bf6f_700d_a353_e455),
        configured("__consumer_offsets", "cleanup.policy", "compact"),
    ]
}

/// A broker with these topics, all empty.
pub fn node(topics: &[NewTopic]) -> Node {
    node_with(topics, Vec::new())
}

/// A broker with these topics and files of theirs, by their path in the log directory.
pub fn node_with(topics: &[NewTopic], files: Vec<(String, Vec<u8>)>) -> Node {
    let log_dir = Path::new("/log");
    let mut disk = Disk::new();
    for (name, content) in
        directory::files("MkU3OEVBNTcwNTJENDM2Qg", topics).into_iter().chain(files)
    {
        disk.put(&log_dir.join(&name), &content);
    }
    let listener =
        Listener { name: "PLAINTEXT".to_owned(), host: "127.0.0.1".to_owned(), port: 19092 };
    let config = Config {
        node_id: 1,
        listeners: vec![listener.clone()],
        advertised: vec![listener],
        controller: Listener { port: 19093, ..Listener::default_controller() },
        log_dirs: vec![log_dir],
        durability: Durability::Durable,
        topic_defaults: TopicConfig::default(),
        creation: CreationConfig { partitions: 2, ..CreationConfig::default() },
        tasks: TaskConfig::default(),
        groups: GroupConfig::default(),
        cleaner: CleanerConfig::default(),
        metadata_log: MetadataLogConfig::default(),
        limits: Limits::default(),
        settings: Arc::default(),
    };
    Node::start(config, disk, Arc::new(Codecs::default()), WALL_MS)
}

/// Cuts whole frames, without their sizes.
pub fn frames(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    while let Some((size, rest)) = bytes.split_first_chunk()
        && let Some((frame, rest)) = rest.split_at_checked(i32::from_be_bytes(*size) as usize)
    {
        frames.push(Bytes::copy_from_slice(frame));
        bytes = rest;
    }
    frames
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("hex digits") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
