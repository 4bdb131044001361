//! How a node takes its place in a cluster, and leaves it: the files and records are Kafka's.

use super::*;
use crate::broker::image::Image;
use crate::checkpoint::MetaProperties;
use crate::ids::JobId;
use crate::job::{Job, JobOutcome, LoadedMetadata};
use crate::records::{BeginTransactionRecord, FeatureLevelRecord};

/// Files of Apache Kafka 4.3.1 for node 1 with its quorum on 127.0.0.1:29193, in hexadecimal:
/// `bootstrap.checkpoint`, the snapshot of the empty metadata log, and the first two batches of that
/// log after the first start.
const BOOTSTRAP: &str = "\
    000000000000000000000047000000000233835eb0002000000000000001a20364a0a7000001a20364a0a7ffffffffff\
    ffffffffffffffffff000000012a0000000800000003160000000000000000000000000000000000000001000000f100\
    00000002284444e4000000000005000001a20364a1bd000001a20364a1bdffffffffffffffffffffffffffff00000006\
    3a000000012e010c00116d657461646174612e76657273696f6e001e00005a000002014e010c0021656c696769626c65\
    2e6c65616465722e7265706c696361732e76657273696f6e00010000340000040128010c000e67726f75702e76657273\
    696f6e00010000340000060128010c000e73686172652e76657273696f6e0001000038000008012c010c001073747265\
    616d732e76657273696f6e000100004000000a0134010c00147472616e73616374696f6e2e76657273696f6e00020000\
    00000000000000070000003f000000000267d5e365002000000000000001a20364a1cd000001a20364a1cdffffffffff\
    ffffffffffffffffff000000011a00000008000000040600000000";
const VOTERS: &str = "\
    00000000000000000000009a0000000002e6c60817002000000002000001a20364a282000001a20364a282ffffffffff\
    ffffffffffffffffff000000032a0000000800000003160000000001a20364a24100001e00000208000000050a000000\
    010000820100000408000000066e000002000000016f0095230a5c4dfc9bab1080bbdcb18d020b434f4e54524f4c4c45\
    520a3132372e302e302e31720900000000010000000000000000000000030000003f000000000240bf85650020000000\
    00000001a20364a2f2000001a20364a2f2ffffffffffffffffffffffffffff000000011a000000080000000406000000\
    00";
const LOG: &str = "\
    0000000000000000000000a20000000102940397a4002000000002000001a20364ec8d000001a20364ec8dffffffffff\
    ffffffffffffffffff000000033a00000008000000022600000000000102000000010002000000010000001e00000208\
    000000050a000000010000820100000408000000066e000002000000016f0095230a5c4dfc9bab1080bbdcb18d020b43\
    4f4e54524f4c4c45520a3132372e302e302e31720900000000010000000000000000000000030000013e0000000102e1\
    544ea1000000000008000001a20364f078000001a20364f078ffffffffffffffffffffffffffff000000093c00000001\
    3001170001001212426f6f747374726170207265636f726473003a000002012e010c00116d657461646174612e766572\
    73696f6e001e00005a000004014e010c0021656c696769626c652e6c65616465722e7265706c696361732e7665727369\
    6f6e00010000340000060128010c000e67726f75702e76657273696f6e00010000340000080128010c000e7368617265\
    2e76657273696f6e000100003800000a012c010c001073747265616d732e76657273696f6e000100004000000c013401\
    0c00147472616e73616374696f6e2e76657273696f6e000200004400000e01380104000401146d696e2e696e73796e63\
    2e7265706c69636173023100001400001001080118000000";

/// The directory id in these.
const KAFKAS_DIRECTORY: [u8; 16] = [
    0x6f, 0x00, 0x95, 0x23, 0x0a, 0x5c, 0x4d, 0xfc, 0x9b, 0xab, 0x10, 0x80, 0xbb, 0xdc, 0xb1, 0x8d,
];

/// The value of a snapshot's header is a time too, behind its version.
const HEADER_TIME: core::ops::Range<usize> = 73..81;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// Without what differs from run to run: CRC and times of each batch.
fn masked(file: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (file.to_vec(), 0);
    while at < file.len() {
        out[at + 17..at + 21].fill(0);
        out[at + 27..at + 43].fill(0);
        at += 12 + u32::from_be_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    out
}

/// The same with this directory's id in the place of the one in Kafka's file.
fn with_directory(file: &[u8], id: Uuid) -> Vec<u8> {
    let mut out = file.to_vec();
    let at = file.windows(16).position(|window| window == KAFKAS_DIRECTORY).expect("it is there");
    out[at..at + 16].copy_from_slice(&id.0);
    out
}

fn text<'a>(disk: &'a Disk, path: &str) -> &'a str {
    let content = disk.get(path).unwrap_or_else(|| panic!("no {path}"));
    core::str::from_utf8(content).expect("it is text")
}

fn properties(disk: &Disk, path: &str) -> MetaProperties {
    MetaProperties::parse(text(disk, path).as_bytes()).expect("it is one")
}

/// The metadata as the disk has it.
fn metadata(disk: &mut Disk) -> LoadedMetadata {
    disk.close_all();
    let base = Image { node_id: 1, ..Image::default() };
    let path = Path::new("/data/__cluster_metadata-0");
    let limits = Limits::default();
    let mut job = Job::load_metadata(JobId(1), path, base, TopicConfig::default(), &limits);
    match disk.run(&mut job).outcome {
        JobOutcome::MetadataLoaded(loaded) => *loaded,
        other => panic!("{other:?}"),
    }
}

fn started(disk: Disk, config: Config) -> World {
    let mut world = World::on(disk, config);
    world.settle();
    assert!(world.ready, "{:?} {:?}", world.stopped, world.events);
    world
}

fn stopped(mut world: World) -> Disk {
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    world.disk
}

fn refused(disk: Disk, config: Config) -> String {
    let mut world = World::on(disk, config);
    world.settle();
    match world.stopped {
        Some(Exit::Failed(reason)) => reason,
        other => panic!("{other:?} {:?}", world.events),
    }
}

fn feature(name: &str, feature_level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: name.to_string(), feature_level }.into()
}

#[test]
fn new_directory_is_formatted_and_begun_as_by_kafka() {
    let mut config = config(&["/data"]);
    config.controller.port = 29193;
    let world = started(Disk::default(), config);
    let disk = world.disk;
    let found = properties(&disk, "/data/meta.properties");
    assert_eq!(found.node_id, Some(1));
    assert_eq!(found.cluster_id.as_deref().map(str::len), Some(22));
    let id = found.directory_id.expect("it has one");

    let bootstrap = disk.get("/data/bootstrap.checkpoint").expect("it is there");
    assert_eq!(bootstrap.len(), 411);
    assert_eq!(masked(bootstrap), masked(&bytes(BOOTSTRAP)));
    let path = "/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
    let mut voters = masked(disk.get(path).expect("it is there"));
    let mut expected = with_directory(&masked(&bytes(VOTERS)), id);
    assert_eq!(voters.len(), 241);
    voters[HEADER_TIME].fill(0);
    expected[HEADER_TIME].fill(0);
    assert_eq!(voters, expected);
    let expected = with_directory(&masked(&bytes(LOG)), id);
    let log = disk.get(METADATA).expect("it is there");
    assert_eq!(masked(&log[..expected.len()]), expected);
    assert_eq!(
        text(&disk, "/data/__cluster_metadata-0/quorum-state"),
        "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\
         \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}"
    );
    assert_eq!(text(&disk, "/data/__cluster_metadata-0/leader-epoch-checkpoint"), "0\n1\n1 0\n");
    assert_eq!(
        text(&disk, "/data/__cluster_metadata-0/partition.metadata"),
        "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"
    );
    let image = world.broker.image();
    assert_eq!(image.metadata_offset, 15, "both registrations, and two changes");
    assert_eq!((image.features.len(), image.kraft_version), (6, 1));
    let registration = image.registration().expect("it is registered");
    assert_eq!((registration.broker_epoch, registration.fenced), (13, false));
}

#[test]
fn first_start_that_is_cut_anywhere_is_completed_by_the_next() {
    let whole = started(Disk::default(), config(&["/data", "/more"])).disk;
    let operations = whole.trace.len();
    for fail_at in 0..operations {
        let mut disk = Disk::default();
        disk.fail_at = Some(fail_at);
        let mut cut = World::on(disk, config(&["/data", "/more"]));
        cut.settle();
        let mut disk = cut.disk;
        disk.fail_at = None;
        let again = started(disk, config(&["/data", "/more"]));
        let image = again.broker.image();
        assert_eq!(image.features.len(), 6, "cut at {fail_at}");
        let [home, more] = ["/data", "/more"]
            .map(|dir| properties(&again.disk, &format!("{dir}/meta.properties")));
        assert_eq!(home.cluster_id, more.cluster_id, "cut at {fail_at}");
        assert_eq!(Some(&image.cluster_id), home.cluster_id.as_ref(), "cut at {fail_at}");
        // The voter is the directory that is there.
        let id = home.directory_id.expect("it has one").0;
        let log = again.disk.get(METADATA).expect("it is there");
        assert!(log.windows(16).any(|window| window == id), "cut at {fail_at}");
    }
}

#[test]
fn stop_leaves_its_partitions_and_the_next_start_leads_them() {
    let mut records =
        vec![feature("metadata.version", 30), feature("eligible.leader.replicas.version", 1)];
    records.extend(topic(1));
    let mut world = started(disk(&records), config(&["/data"]));
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    let registered = world.broker.image().registration().cloned().expect("it is registered");
    let mut disk = stopped(world);
    let marker = format!("{{\"version\":0,\"brokerEpoch\":{}}}", registered.broker_epoch);
    assert_eq!(text(&disk, "/data/.kafka_cleanshutdown"), marker);
    assert_eq!(disk.get("/data/.lock"), None);
    assert_eq!(text(&disk, "/data/recovery-point-offset-checkpoint"), "0\n1\nt 0 2\n");
    assert_eq!(text(&disk, "/data/replication-offset-checkpoint"), "0\n1\nt 0 2\n");
    assert_eq!(text(&disk, "/data/log-start-offset-checkpoint"), "0\n0\n");
    let image = metadata(&mut disk).image;
    let left = &image.topics_by_id[&TOPIC].partitions[&0];
    assert_eq!((left.leader, left.leader_epoch, left.partition_epoch), (-1, 1, 1));
    assert_eq!((&left.isr, &left.elr, &left.last_known_elr), (&vec![], &vec![1], &vec![1]));
    let last = image.registration().expect("it is registered");
    assert!(last.fenced && last.in_controlled_shutdown);

    let again = started(disk, config(&["/data"]));
    let image = again.broker.image();
    let led = &image.topics_by_id[&TOPIC].partitions[&0];
    assert_eq!((led.leader, led.leader_epoch, led.partition_epoch), (1, 2, 2));
    assert_eq!((&led.isr, &led.elr, &led.last_known_elr), (&vec![1], &vec![], &vec![]));
    let registration = image.registration().expect("it is registered");
    assert!(!registration.fenced && !registration.in_controlled_shutdown);
    assert_ne!(registration.incarnation_id, last.incarnation_id);
    assert!(text(&again.disk, "/data/__cluster_metadata-0/quorum-state").contains("Epoch\":3"));
}

#[test]
fn start_without_a_level_writes_what_the_oldest_kafka_reads() {
    let world = started(disk(&topic(1)), config(&["/data"]));
    let image = Arc::clone(world.broker.image());
    assert_eq!(image.topics_by_id[&TOPIC].partitions[&0].leader_epoch, 0, "it has a leader");
    assert!(image.registration().is_some_and(|it| !it.fenced));
    let written = world.disk.get(METADATA).expect("it is there").to_vec();
    // Frame, type 0 and version 1, then node 1; and no record of a controller.
    assert!(written.windows(7).any(|window| window == [1, 0, 1, 0, 0, 0, 1]));
    assert!(!written.windows(7).any(|window| window == [1, 27, 0, 0, 0, 0, 1]));
    let left = metadata(&mut stopped(world)).image;
    let left = &left.topics_by_id[&TOPIC].partitions[&0];
    assert_eq!((left.leader, &left.isr, &left.elr), (-1, &vec![1], &vec![]));
}

#[test]
fn synced_checkpoint_counts_for_both_registrations_until_the_new_one_is_durable() {
    let mut world = World::on(disk(&topic(1)), config(&["/data"]));
    let ids = |disk: &Disk| {
        let text = text(disk, "/data/klamm-synced-checkpoint").to_string();
        text.lines().nth(1).map(|line| line.split(' ').count())
    };
    while world.disk.get("/data/klamm-synced-checkpoint").is_none() {
        world.step();
    }
    assert_eq!(ids(&world.disk), Some(2));
    let size = world.disk.get(METADATA).map(<[u8]>::len);
    assert_eq!(size, disk(&topic(1)).get(METADATA).map(<[u8]>::len), "nothing is registered yet");
    world.settle();
    assert_eq!(ids(&world.disk), Some(1));
    assert!(text(&world.disk, "/data/klamm-synced-checkpoint").contains("__cluster_metadata 0 "));
}

#[test]
fn damage_in_the_metadata_log_stops_the_start_and_nothing_is_cut() {
    let whole = stopped(started(disk(&topic(1)), config(&["/data"])));
    let size = whole.get(METADATA).expect("it is there").len();
    // In front of the registration that the checkpoint names, and behind it.
    for at in [30, size - 10] {
        let mut damaged = whole.get(METADATA).expect("it is there").to_vec();
        damaged[at] ^= 1;
        let mut disk = whole.clone();
        disk.put(METADATA, damaged.clone());
        let reason = refused(disk.clone(), config(&["/data"]));
        assert!(reason.contains(METADATA) && reason.contains("position"), "{reason}");
        assert_eq!(disk.get(METADATA), Some(&damaged[..]));
    }
    let mut short = whole.clone();
    short.put(METADATA, disk(&topic(1)).get(METADATA).expect("it is there"));
    let reason = refused(short, config(&["/data"]));
    assert!(reason.contains("ends at offset 2"), "{reason}");
}

#[test]
fn torn_tail_of_the_metadata_log_is_cut() {
    let mut disk = disk(&topic(1));
    let whole = disk.get(METADATA).expect("it is there").to_vec();
    disk.put(METADATA, [&whole[..], &whole[..40]].concat());
    let world = started(disk, config(&["/data"]));
    assert!(world.events.iter().any(|event| matches!(event, Event::TornTailCut { .. })));
    assert_eq!(world.broker.image().topics.len(), 1);
}

#[test]
fn no_marker_is_left_where_a_log_could_not_be_loaded() {
    let mut world = World::ready(1);
    world.produce(0, Acks::All, 1_000);
    world.settle();
    let mut disk = stopped(world);
    let file = "/data/t-0/00000000000000000000.log";
    let mut damaged = disk.get(file).expect("it was written").to_vec();
    damaged[70] ^= 1;
    disk.put(file, damaged);
    let disk = stopped(started(disk, config(&["/data"])));
    assert_eq!(disk.get("/data/.kafka_cleanshutdown"), None);
    assert_eq!(text(&disk, "/data/recovery-point-offset-checkpoint"), "0\n1\nt 0 2\n");
}

#[test]
fn another_log_directory_joins_the_cluster() {
    let world = started(disk(&topic(1)), config(&["/data", "/more"]));
    let found = properties(&world.disk, "/more/meta.properties");
    assert_eq!(found.cluster_id.as_deref(), Some("abc"));
    assert_ne!(found.directory_id, Some(Uuid([1; 16])));
    assert_eq!(world.disk.get("/more/bootstrap.checkpoint"), None);
}

#[test]
fn log_directory_that_cannot_be_opened_leaves_the_others() {
    let mut world = World::on(disk(&topic(1)), config(&["/data", "/more"]));
    let (id, _) = world.effects.remove(1);
    let error = IoError::new(&Path::new("/more"), IoErrorKind::Other, "input/output error");
    world.complete(id, Completion::Failed { done: Vec::new(), error });
    world.settle();
    assert!(world.ready, "{:?}", world.events);
    let disk = stopped(world);
    assert!(disk.get("/data/.kafka_cleanshutdown").is_some());
    assert_eq!(disk.get("/more/.kafka_cleanshutdown"), None);
}

/// A topic of that name was deleted while `/data` was offline, which is back when `/more`, the home of the
/// topic that has the name now, is not.
#[test]
fn partition_whose_home_is_offline_is_not_made_anew_where_another_topics_directory_lies() {
    let at_home = PartitionRecord { directories: vec![Uuid([2; 16])], ..partition(0) };
    let mut old = disk(&[topic(0).remove(0), at_home.into()]);
    old.put("/more/meta.properties", meta_properties(1, 2));
    old.put("/data/t-0/partition.metadata", format!("version: 0\ntopic_id: {}", Uuid([9; 16])));
    old.put("/data/t-0/00000000000000000000.log", "records");
    let mut world = World::on(old, config(&["/data", "/more"]));
    let (id, _) = world.effects.remove(1);
    let error = IoError::new(&Path::new("/more"), IoErrorKind::Other, "input/output error");
    world.complete(id, Completion::Failed { done: Vec::new(), error });
    world.settle();
    assert!(world.ready, "{:?}", world.events);
    let reason = world.events.iter().find_map(|event| match event {
        Event::PartitionOffline { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    assert!(reason.is_some_and(|it| it.ends_with("its own log directory is not online")));
    assert_eq!(world.disk.get("/data/t-0/00000000000000000000.log"), Some(&b"records"[..]));
}

/// A topic of that name was deleted while `/data` was offline, and `/more` is the home of the topic that has
/// the name now.
#[test]
fn directory_beside_its_partitions_home_is_kept_as_a_stray_one() {
    let at_home = PartitionRecord { directories: vec![Uuid([2; 16])], ..partition(0) };
    let mut old = disk(&[topic(0).remove(0), at_home.into()]);
    old.put("/more/meta.properties", meta_properties(1, 2));
    old.put("/more/t-0/partition.metadata", format!("version: 0\ntopic_id: {TOPIC}"));
    old.put("/data/t-0/partition.metadata", format!("version: 0\ntopic_id: {}", Uuid([9; 16])));
    old.put("/data/t-0/00000000000000000000.log", "records");
    let world = started(old, config(&["/data", "/more"]));
    let strays = world.events.iter().filter_map(|event| match event {
        Event::StrayDirectory { directory, kept_as } => Some((directory.as_str(), kept_as)),
        _ => None,
    });
    let strays: Vec<_> = strays.collect();
    let [("/data/t-0", kept_as)] = strays[..] else { panic!("{strays:?}") };
    assert_eq!(world.disk.get("/data/t-0/partition.metadata"), None);
    let log = kept_as.join("00000000000000000000.log");
    assert_eq!(world.disk.get(log.as_str()), Some(&b"records"[..]));
    assert!(!world.events.iter().any(|event| matches!(event, Event::PartitionOffline { .. })));
    assert!(world.disk.get("/more/t-0/partition.metadata").is_some());
}

#[test]
fn directories_that_leave_a_doubt_are_refused() {
    let mut unmounted = Disk::default();
    unmounted.put("/more/meta.properties", meta_properties(1, 2));
    let reason = refused(unmounted, config(&["/data", "/more"]));
    assert!(reason.contains("/data") && reason.contains("mounted"), "{reason}");

    let mut copied = disk(&topic(1));
    copied.put("/more/meta.properties", meta_properties(1, 1));
    let reason = refused(copied, config(&["/data", "/more"]));
    assert!(reason.contains("/more is a copy"), "{reason}");

    let mut other = disk(&topic(1));
    other.put("/more/meta.properties", meta_properties(1, 2).replace("abc", "xyz"));
    let reason = refused(other, config(&["/data", "/more"]));
    assert!(reason.contains("abc") && reason.contains("xyz"), "{reason}");

    let mut nobodys = Disk::default();
    nobodys.put(METADATA, disk(&topic(1)).get(METADATA).expect("it is there"));
    let reason = refused(nobodys, config(&["/data"]));
    assert!(reason.contains("no meta.properties"), "{reason}");

    let mut old = disk(&topic(1));
    old.put("/data/meta.properties", "version=0\nbroker.id=1\n");
    let reason = refused(old, config(&["/data"]));
    assert!(reason.contains("version 0"), "{reason}");
}

#[test]
fn directory_that_kafka_formatted_begins_with_its_records() {
    let mut disk = Disk::default();
    disk.put("/data/meta.properties", meta_properties(1, 1));
    let bare = started(disk.clone(), config(&["/data"]));
    assert_eq!(bare.broker.image().features, [("metadata.version".to_string(), 30)].into());
    disk.put("/data/bootstrap.checkpoint", bytes(BOOTSTRAP));
    let world = started(disk.clone(), config(&["/data"]));
    assert_eq!(world.broker.image().features.len(), 6);
    disk.put("/data/bootstrap.checkpoint", &bytes(BOOTSTRAP)[..300]);
    let reason = refused(disk, config(&["/data"]));
    assert!(reason.contains("/data/bootstrap.checkpoint: batch at position 83"), "{reason}");
}

#[test]
fn transaction_that_nobody_will_complete_is_aborted_first() {
    let mut records = topic(1);
    records.push(BeginTransactionRecord::default().into());
    records.push(feature("group.version", 1));
    let disk = stopped(started(disk(&records), config(&["/data"])));
    let world = started(disk, config(&["/data"]));
    assert!(world.broker.image().registration().is_some_and(|it| !it.fenced));
    assert_eq!(world.broker.image().features.get("group.version"), None);
    assert_eq!(world.events, []);
}
