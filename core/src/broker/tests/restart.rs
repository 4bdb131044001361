//! What a start makes of what the last run left.

use super::*;
use crate::effect::EntryKind;
use crate::partition_name::PartitionName;
use crate::records::FeatureLevelRecord;

const LOG: &str = "/data/t-0/00000000000000000000.log";
const MARKER: &str = "/data/.kafka_cleanshutdown";

/// A directory after a run that appended to `t-0` and was stopped.
fn stopped() -> Disk {
    let mut world = World::ready(1);
    world.produce(0, Acks::Leader, 1_000);
    world.settle();
    stop(world)
}

fn stop(mut world: World) -> Disk {
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    world.disk
}

/// Starts on the disk and leaves the trace of the start in it.
fn start(mut disk: Disk) -> World {
    disk.trace.clear();
    let mut world = World::on(disk, config(&["/data"]));
    world.settle();
    assert!(world.ready, "{:?}", world.events);
    world
}

fn directories(world: &World) -> Vec<String> {
    let result =
        world.disk.clone().apply(Effect::Operations(vec![Operation::List(Path::new("/data"))]));
    let Completion::Done(results) = result else { panic!("{result:?}") };
    let Some(crate::effect::OperationResult::Listed(entries)) = results.into_iter().next() else {
        panic!("a listing lists")
    };
    let directories = entries.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
    directories.map(|entry| entry.name).collect()
}

#[test]
fn clean_stop_leaves_what_kafka_wants_beside_each_log() {
    let disk = stopped();
    let epochs = disk.get("/data/t-0/leader-epoch-checkpoint").is_some();
    assert!(epochs && disk.get(MARKER).is_some());
    for (name, length) in
        [("00000000000000000000.index", 0), ("00000000000000000000.timeindex", 12)]
    {
        let file = disk.get(&format!("/data/t-0/{name}")).map(<[u8]>::len);
        assert_eq!(file, Some(length), "{name}");
    }
    let snapshots: Vec<_> =
        disk.files().keys().filter(|path| path.contains(".snapshot")).cloned().collect();
    assert_eq!(snapshots.len(), 2, "{snapshots:?}");
    assert_eq!(snapshots[1], "/data/t-0/00000000000000000002.snapshot");
    let points = disk.get("/data/recovery-point-offset-checkpoint");
    assert_eq!(points, Some(&b"0\n1\nt 0 2\n"[..]));
}

#[test]
fn files_beside_the_logs_are_durable_before_the_checkpoints() {
    let disk = stopped();
    let place = |name: &str| {
        let is_rename =
            |o: &Operation| matches!(o, Operation::Rename { to, .. } if to.name() == name);
        disk.trace.iter().rposition(is_rename).expect("it is renamed")
    };
    let sealed = disk.trace.iter().rposition(
        |o| matches!(o, Operation::Sync(file) if file.path.as_str().ends_with(".snapshot")),
    );
    let points = place("recovery-point-offset-checkpoint");
    assert!(sealed < Some(points) && points < place(".kafka_cleanshutdown"));
}

#[test]
fn start_after_a_clean_stop_writes_nothing_beside_the_logs_that_is_there() {
    let before = stopped();
    let after = stop(start(before.clone()));
    let kept: Vec<_> = before.files().keys().filter(|path| path.contains("/t-0/")).collect();
    for path in kept {
        assert_eq!(after.get(path), before.get(path), "{path}");
    }
    let created = |o: &Operation| matches!(o, Operation::Create(file) if file.path.as_str().contains("/t-0/"));
    assert!(!after.trace.iter().any(created));
}

#[test]
fn marker_of_another_run_says_nothing() {
    let mut disk = stopped();
    let mut file = disk.get(LOG).unwrap().to_vec();
    file.push(7);
    disk.put(LOG, file);
    let (_, marker) = (disk.get(LOG), disk.get(MARKER).unwrap().to_vec());
    // Damage, since all of the log was synced; where it ended nobody knows.
    disk.files_mut().retain(|path, _| !path.contains("klamm-synced"));
    let mut damaged = World::on(disk.clone(), config(&["/data"]));
    damaged.settle();
    assert!(damaged.events.iter().any(|event| matches!(event, Event::PartitionOffline { .. })));
    // No marker, or one of a run before the last: a torn tail is cut.
    for content in ["{\"version\":0,\"brokerEpoch\":0}", "", "{}"] {
        assert_ne!(content.as_bytes(), marker);
        disk.put(MARKER, content);
        let world = start(disk.clone());
        assert!(world.events.iter().any(|event| matches!(event, Event::TornTailCut { .. })));
        assert!(world.disk.get(MARKER).is_none());
    }
}

#[test]
fn closed_log_is_not_synced_again() {
    let world = start(stopped());
    let syncs =
        world.disk.trace.iter().filter(
            |o| matches!(o, Operation::SyncDirectory(path) if path.as_str() == "/data/t-0"),
        );
    assert_eq!(syncs.count(), 0, "all of it is durable");
}

#[test]
fn directory_of_an_unknown_partition_is_kept_as_a_stray_one() {
    let mut disk = stopped();
    disk.put("/data/gone-0/00000000000000000000.log", "records");
    disk.put("/data/t-7/00000000000000000000.log", "records");
    disk.make_directory("/data/lost+found");
    disk.make_directory("/data/t-0.0123456789abcdef0123456789abcdef-future");
    let world = start(disk);
    let strays: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StrayDirectory { directory, kept_as } => {
                Some((directory.as_str().to_string(), kept_as.as_str().to_string()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(strays.len(), 2);
    for ((directory, kept_as), expected) in strays.iter().zip(["/data/gone-0", "/data/t-7"]) {
        assert_eq!(directory, expected);
        let name = Path::new(kept_as).name().to_string();
        assert_eq!(PartitionName::parse(&name), PartitionName::Stray);
        let file = format!("{kept_as}/00000000000000000000.log");
        assert_eq!(world.disk.get(&file), Some(&b"records"[..]));
    }
    let renamed = world
        .disk
        .trace
        .iter()
        .position(|o| matches!(o, Operation::Rename { to, .. } if to.as_str() == strays[1].1));
    let synced = Operation::SyncDirectory(Path::new("/data"));
    assert!(world.disk.trace[renamed.unwrap()..].contains(&synced));
    let left = directories(&world);
    assert!(left.contains(&"t-0".to_string()) && left.contains(&"lost+found".to_string()));
    assert!(!left.contains(&"gone-0".to_string()));
    // The next start leaves them where they are.
    let again = start(stop(world));
    assert!(!again.events.iter().any(|event| matches!(event, Event::StrayDirectory { .. })));
    assert_eq!(directories(&again), left);
}

#[test]
fn deleted_directories_are_removed_while_the_broker_serves() {
    let mut disk = stopped();
    let deleted = "/data/u-3.0123456789abcdef0123456789abcdef-delete";
    disk.put(&format!("{deleted}/00000000000000000000.log"), "records");
    let world = start(disk);
    assert!(!directories(&world).iter().any(|name| name.ends_with("-delete")));
    assert!(world.disk.files().keys().all(|path| !path.starts_with(deleted)));
    assert!(world.events.iter().any(|event| event.to_string() == format!("{deleted} is deleted")));
}

/// KAFKA-15375: a stop before the logs are loaded leaves no marker.
#[test]
fn stop_during_the_start_leaves_no_marker() {
    let disk = stopped();
    for steps in 0..6 {
        let mut world = World::on(disk.clone(), config(&["/data"]));
        for _ in 0..steps {
            if !world.effects.is_empty() {
                world.step();
            }
        }
        if world.ready {
            break;
        }
        world.broker.handle_shutdown(world.now);
        world.drain();
        let marker = world.disk.get(MARKER).is_some();
        assert!(!marker || steps < 2, "it was there only until the directory was identified");
    }
}

#[test]
fn entries_of_a_directory_that_was_found_formatted_are_synced_before_its_logs_are_used() {
    let world = start(World::ready(1).disk);
    let synced = Operation::SyncDirectory(Path::new("/data"));
    let is_log = |it: &Operation| matches!(it, Operation::Read { file, .. } if file.path.as_str() == METADATA);
    let trace = &world.disk.trace;
    let synced = trace.iter().position(|it| *it == synced).expect("a sync");
    assert!(synced < trace.iter().position(is_log).expect("the log is loaded"));
}

/// `t-1` lies in `/more`, and `metadata.version` has log directories.
fn two_directories() -> Disk {
    let level = FeatureLevelRecord { name: "metadata.version".to_string(), feature_level: 30 };
    let mut records = vec![level.into()];
    records.extend(topic(2));
    let mut disk = disk(&records);
    disk.put("/more/meta.properties", meta_properties(1, 2));
    disk.put("/more/t-1/00000000000000000000.log", Vec::new());
    disk
}

fn damage_of_t1(world: &World) -> (bool, bool) {
    let is_offline = |event: &Event| matches!(event, Event::PartitionOffline { partition, .. } if partition == "t-1");
    let is_cut = |event: &Event| matches!(event, Event::TornTailCut { .. });
    (world.events.iter().any(is_offline), world.events.iter().any(is_cut))
}

#[test]
fn checkpoint_counts_behind_a_start_that_did_without_its_directory() {
    const LOG: &str = "/more/t-1/00000000000000000000.log";
    let dirs = || config(&["/data", "/more"]);
    let mut world = World::serving(two_directories(), dirs());
    world.produce(1, Acks::All, 1_000);
    world.settle();
    world.pass(Millis(world.broker.config.limits.synced_checkpoint_interval_ms));
    world.settle();

    // Killed; the next start finds `/more` broken, and is killed as well.
    let mut without = World::on(world.disk, dirs());
    without.step();
    without.fail_step();
    without.settle();
    assert!(without.ready && damage_of_t1(&without) == (true, false), "{:?}", without.events);
    let mut disk = without.disk;
    let mut log = disk.get(LOG).expect("a log").to_vec();
    *log.last_mut().expect("records") ^= 1;
    disk.put(LOG, log);

    let mut back = World::on(disk.clone(), dirs());
    back.settle();
    assert!(back.ready && damage_of_t1(&back) == (true, false), "{:?}", back.events);
    // Nor does a start count that came no further than its checkpoints.
    let mut killed = World::on(disk, dirs());
    let checkpoint = "/more/klamm-synced-checkpoint";
    let before = killed.disk.get(checkpoint).map(<[u8]>::to_vec);
    while killed.disk.get(checkpoint) == before.as_deref() {
        killed.step();
    }
    let mut again = World::on(killed.disk, dirs());
    again.settle();
    assert!(again.ready && damage_of_t1(&again) == (true, false), "{:?}", again.events);
}
