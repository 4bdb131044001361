//! Client logic of one's own under the whole simulation: an outbox.
//!
//! A [`Sender`] has orders to publish. It sends each, again and again, until the broker has
//! acknowledged it. An [`Auditor`] reads the topic from its beginning, over and over. Between them
//! they know what must be true whatever the network, the disk and the power do: an acknowledged
//! order stays where it was acknowledged, no offset ever holds two orders, and the auditor passes
//! over none. That is this program's own check; the simulation's are on as well.
//!
//! ```text
//! cargo run --release -p klamm-sim --example outbox -- 200       200 seeds
//! cargo run --release -p klamm-sim --example outbox -- 1 --from 42 --trace
//! ```

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use klamm_core::api::ApiKey;
use klamm_core::api::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use klamm_core::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use klamm_core::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use klamm_core::batch::BatchBuilder;
use klamm_core::codec::Records;
use klamm_core::error_code::ErrorCode;
use klamm_sim::calls::{Answer, Calls};
use klamm_sim::decisions::Decisions;
use klamm_sim::history::TopicPartition;
use klamm_sim::ladder::Ladder;
use klamm_sim::minimise::{RUNS_MAX, minimise};
use klamm_sim::options::{Options, StrikeKind};
use klamm_sim::program::{Moment, Next, Program};
use klamm_sim::reader::{StoredLog, StoredRecord, read_fetched};
use klamm_sim::script::Script;
use klamm_sim::world::World;

const TOPIC: &str = "orders";

/// Orders to publish while things go wrong, and once they go well.
const ORDERS: u64 = 20;
const LAST_ORDERS: u64 = 3;

/// How long the auditor rests at the topic's end.
const REST_MICROS: u64 = 20_000;

/// What both know: the order at each offset, as acknowledged and as read.
#[derive(Debug, Default)]
struct Book {
    acknowledged: BTreeMap<i64, u64>,
    read: BTreeMap<i64, u64>,
    /// Orders that will be published.
    wanted: u64,
}

impl Book {
    /// An order was seen at an offset: no other one ever was.
    fn note(&mut self, offset: i64, order: u64) -> Result<(), String> {
        for (known, how) in [(&self.acknowledged, "acknowledged"), (&self.read, "read")] {
            if let Some(other) = known.get(&offset).filter(|other| **other != order) {
                return Err(format!("order {order} is at {offset}, where order {other} was {how}"));
            }
        }
        Ok(())
    }

    fn is_published(&self) -> bool {
        self.acknowledged.len() as u64 >= self.wanted
    }
}

/// Publishes orders, one at a time.
#[derive(Debug)]
struct Sender {
    book: Arc<Mutex<Book>>,
    calls: Calls<()>,
    topic_is_there: bool,
    /// The order under way.
    order: u64,
}

impl Program for Sender {
    fn disconnected(&mut self) {
        // Nobody knows what became of it: it is sent again.
        self.calls.disconnected().for_each(drop);
    }

    fn next(&mut self, moment: &mut Moment<'_>) -> Next {
        if self.is_done() || self.calls.unanswered() > 0 {
            return Next::Listen;
        }
        if !self.topic_is_there {
            let name = TOPIC.to_owned();
            let (num_partitions, replication_factor) = (1, 1);
            let topic =
                CreatableTopic { name, num_partitions, replication_factor, ..Default::default() };
            let request = CreateTopicsRequest {
                topics: vec![topic],
                timeout_ms: 60_000,
                ..Default::default()
            };
            return Next::Send(self.calls.ask(ApiKey::CREATE_TOPICS, 7, &request, ()));
        }
        let mut batch = BatchBuilder::new();
        batch.append(moment.wall_ms, None, Some(&self.order.to_be_bytes()));
        let records = Some(batch.encode(0, -1).into());
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        let topic =
            TopicProduceData { name: TOPIC.to_owned(), partition_data, ..Default::default() };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 60_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        Next::Send(self.calls.ask(ApiKey::PRODUCE, 9, &request, ()))
    }

    fn receive(&mut self, bytes: &[u8], _: &mut Moment<'_>) -> Result<(), String> {
        self.calls.receive(bytes);
        while let Some(((), answer)) = self.calls.next_answer()? {
            match answer.key {
                ApiKey::CREATE_TOPICS => self.created(&answer)?,
                _ => self.produced(&answer)?,
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.book.lock().expect("nobody panics").is_published()
    }

    fn faults_end(&mut self) {
        let mut book = self.book.lock().expect("nobody panics");
        book.wanted = book.acknowledged.len() as u64 + LAST_ORDERS;
    }

    fn check(&self, logs: &BTreeMap<TopicPartition, StoredLog>) -> Result<(), String> {
        let log = logs.values().find(|log| log.directory.ends_with("/orders-0"));
        let log = log.ok_or("there is no log of orders")?;
        for (offset, order) in &self.book.lock().expect("nobody panics").acknowledged {
            if log.at(*offset).and_then(order_of) != Some(*order) {
                return Err(format!(
                    "order {order} was acknowledged at {offset}, and is not there"
                ));
            }
        }
        Ok(())
    }
}

impl Sender {
    fn created(&mut self, answer: &Answer) -> Result<(), String> {
        let answer: CreateTopicsResponse = answer.read()?;
        let error = answer.topics.first().map(|topic| topic.error_code);
        // Its answer may have been lost the first time.
        let there = [Some(ErrorCode::NONE), Some(ErrorCode::TOPIC_ALREADY_EXISTS)];
        self.topic_is_there = there.contains(&error);
        Ok(())
    }

    fn produced(&mut self, answer: &Answer) -> Result<(), String> {
        let answer: ProduceResponse = answer.read()?;
        let topic = answer.responses.first().ok_or("an answer without a topic")?;
        let told = topic.partition_responses.first().ok_or("an answer without a partition")?;
        if told.error_code.is_none() {
            let mut book = self.book.lock().expect("nobody panics");
            book.note(told.base_offset, self.order)?;
            book.acknowledged.insert(told.base_offset, self.order);
            self.order += 1;
        }
        Ok(())
    }
}

/// Reads the orders from the first one to the last, and then once more.
#[derive(Debug)]
struct Auditor {
    book: Arc<Mutex<Book>>,
    calls: Calls<()>,
    position: i64,
    rests: bool,
}

impl Program for Auditor {
    fn disconnected(&mut self) {
        self.calls.disconnected().for_each(drop);
        self.position = 0;
    }

    fn next(&mut self, _: &mut Moment<'_>) -> Next {
        if self.calls.unanswered() > 0 {
            return Next::Listen;
        }
        if std::mem::take(&mut self.rests) {
            return Next::Later(REST_MICROS);
        }
        let partition = FetchPartition {
            fetch_offset: self.position,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topic = FetchTopic {
            topic: TOPIC.to_owned(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = FetchRequest {
            topics: vec![topic],
            max_wait_ms: 100,
            min_bytes: 1,
            ..Default::default()
        };
        Next::Send(self.calls.ask(ApiKey::FETCH, 12, &request, ()))
    }

    fn receive(&mut self, bytes: &[u8], _: &mut Moment<'_>) -> Result<(), String> {
        self.calls.receive(bytes);
        while let Some(((), answer)) = self.calls.next_answer()? {
            self.fetched(&answer.read()?)?;
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let book = self.book.lock().expect("nobody panics");
        let is_read = |offset| book.read.contains_key(offset);
        book.is_published() && book.acknowledged.keys().all(is_read) && self.calls.unanswered() == 0
    }
}

impl Auditor {
    fn fetched(&mut self, answer: &FetchResponse) -> Result<(), String> {
        self.rests = true;
        let topic = answer.responses.first();
        let Some(part) = topic.and_then(|topic| topic.partitions.first()) else { return Ok(()) };
        let Records::Bytes(bytes) = &part.records else { return Ok(()) };
        // No topic yet, or a log that is offline: it is asked for again.
        if !part.error_code.is_none() || bytes.is_empty() {
            return Ok(());
        }
        let mut book = self.book.lock().expect("nobody panics");
        for record in read_fetched(bytes, false)?.records {
            if record.offset < self.position {
                continue;
            }
            if record.offset > self.position {
                return Err(format!("order at {} was passed over", self.position));
            }
            let order = order_of(&record).ok_or(format!("no order at {}", record.offset))?;
            book.note(record.offset, order)?;
            book.read.insert(record.offset, order);
            self.position += 1;
        }
        Ok(())
    }
}

fn order_of(record: &StoredRecord) -> Option<u64> {
    Some(u64::from_be_bytes(*record.value.first_chunk()?))
}

/// Both programs join a run.
fn joined(options: Options, decisions: Decisions) -> World {
    let book = Arc::new(Mutex::new(Book { wanted: ORDERS, ..Book::default() }));
    let sender = Sender {
        book: Arc::clone(&book),
        calls: Calls::new("sender"),
        topic_is_there: false,
        order: 0,
    };
    let auditor = Auditor { book, calls: Calls::new("auditor"), position: 0, rests: false };
    let world = World::new(options, decisions);
    world.with_program(Box::new(sender)).with_program(Box::new(auditor))
}

/// The run of a seed. Anything may go wrong but what takes orders away by right: retention, a power
/// loss where durability was not asked for, and a damaged disk.
fn world(seed: u64) -> World {
    let mut decisions = Decisions::from_seed(seed);
    let mut options = Options::draw(&mut decisions);
    options.page_cache = 0;
    options.retention_ms = 0;
    options.retention_bytes = 0;
    options.administrators = 0;
    options.strikes.retain(|strike| strike.kind != StrikeKind::Rot);
    joined(options, decisions)
}

/// The same run without the generator, as a failure keeps it.
fn replayed(script: &Script) -> World {
    joined(script.options.clone(), script.decisions())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number_behind = |word: &str| {
        let at = words.iter().position(|other| other == word)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    let count = words.first().and_then(|word| word.parse().ok()).unwrap_or(100);
    let from = number_behind("--from").unwrap_or(0);
    let mut failures = 0;
    for seed in from..from + count {
        let mut world = world(seed);
        if words.iter().any(|word| word == "--trace") {
            world = world.with_ladder(Ladder::new(|line| println!("{line}")));
        }
        if let Err(failure) = world.run() {
            failures += 1;
            // A smaller run that fails in the same way, told from its start to its end.
            let smaller = minimise(&failure, RUNS_MAX, joined);
            println!("SEED={seed}: {failure}\n{}", smaller.script.options.summary());
            let ladder = Ladder::new(|line| println!("{line}"));
            drop(replayed(&smaller.script).with_ladder(ladder).run());
        }
    }
    println!("{count} seeds, {failures} failures");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use klamm_sim::broken::ReusesOffsets;

    use super::{replayed, world};

    #[test]
    fn orders_survive_whatever_happens() {
        for seed in 0..20 {
            if let Err(failure) = world(seed).run() {
                panic!("SEED={seed}: {failure}");
            }
        }
    }

    #[test]
    fn an_offset_that_is_told_twice_is_noticed_and_replayed() {
        let broken =
            |world: klamm_sim::world::World| world.with_layer(Box::new(ReusesOffsets::default()));
        let mut noticed = (0..20).filter_map(|seed| broken(world(seed)).run().err());
        let failure = noticed
            .find(|failure| failure.message.contains("order "))
            .expect("the outbox's own check finds it");
        let again = broken(replayed(&failure.script)).run().expect_err("it fails again");
        assert_eq!((again.message, again.events), (failure.message, failure.events));
    }
}
