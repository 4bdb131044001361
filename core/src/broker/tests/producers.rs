//! What producers that count their records are answered.

use super::*;

/// One record with a value, of a producer that counts.
fn counted(producer_id: i64, epoch: i16, sequence: i32) -> CheckedBatch {
    let mut batch = BatchBuilder::new().producer(producer_id, epoch, sequence);
    batch.append(1_000, None, Some(b"value"));
    batch.build()
}

fn repeated(base_offset: i64) -> AppendOutcome {
    AppendOutcome { log_append_time_ms: 1_000, ..accepted(base_offset) }
}

fn refused(error: ErrorCode) -> AppendOutcome {
    AppendOutcome { log_start_offset: 0, ..AppendOutcome::refused(error) }
}

impl World {
    fn send(&mut self, batch: CheckedBatch) -> u64 {
        self.produce_all(vec![(0, Some(batch))], Acks::All, 1_000)
    }

    fn log_bytes(&self) -> usize {
        self.disk.get("/data/t-0/00000000000000000000.log").map_or(0, <[u8]>::len)
    }
}

#[test]
fn duplicate_of_what_is_safe_is_answered_at_once_and_appended_never() {
    let mut world = World::ready(1);
    world.send(counted(5, 0, 0));
    world.settle();
    let bytes = world.log_bytes();
    let again = world.send(counted(5, 0, 0));
    assert_eq!(world.answers.last(), Some(&(again, vec![repeated(0)])));
    world.settle();
    assert_eq!(world.log_bytes(), bytes);
}

#[test]
fn duplicate_of_what_is_in_flight_waits_for_it() {
    let mut world = World::ready(1);
    let first = world.send(counted(5, 0, 0));
    let again = world.send(counted(5, 0, 0));
    world.step_writes();
    assert_eq!(world.answers, [], "written is not synced");
    world.settle();
    assert_eq!(world.answers, [(first, vec![accepted(0)]), (again, vec![repeated(0)])]);
}

#[test]
fn duplicate_of_what_fails_is_a_storage_error() {
    let mut world = World::ready(1);
    let first = world.send(counted(5, 0, 0));
    let again = world.send(counted(5, 0, 0));
    world.fail_step();
    let offline = vec![AppendOutcome::refused(ErrorCode::KAFKA_STORAGE_ERROR)];
    assert_eq!(world.answers, [(first, offline.clone()), (again, offline)]);
}

#[test]
fn gap_old_epoch_and_new_epochs_first_sequence_are_refused_with_the_logs_start() {
    let mut world = World::ready(1);
    world.send(counted(5, 1, 0));
    world.settle();
    for (batch, error) in [
        (counted(5, 1, 2), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        (counted(5, 0, 1), ErrorCode::INVALID_PRODUCER_EPOCH),
        (counted(5, 2, 1), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
    ] {
        let number = world.send(batch);
        assert_eq!(world.answers.last(), Some(&(number, vec![refused(error)])));
    }
    let next = world.send(counted(5, 1, 1));
    world.settle();
    assert_eq!(world.answers.last(), Some(&(next, vec![accepted(1)])));
}

#[test]
fn each_partition_counts_for_itself() {
    let mut world = World::ready(2);
    let both = vec![(0, Some(counted(5, 0, 0))), (1, Some(counted(5, 0, 0)))];
    world.produce_all(both.clone(), Acks::All, 1_000);
    world.settle();
    let again = world.produce_all(both, Acks::All, 1_000);
    assert_eq!(world.answers.last(), Some(&(again, vec![repeated(0), repeated(0)])));
}

#[test]
fn duplicate_without_an_answer_is_dropped_and_a_gap_is_told() {
    let mut world = World::ready(1);
    world.produce_all(vec![(0, Some(counted(5, 0, 0)))], Acks::None, 0);
    let again = world.produce_all(vec![(0, Some(counted(5, 0, 0)))], Acks::None, 0);
    let gap = world.produce_all(vec![(0, Some(counted(5, 0, 7)))], Acks::None, 0);
    let out_of_order = vec![refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)];
    assert_eq!(world.answers[1..], [(again, vec![repeated(0)]), (gap, out_of_order)]);
    world.settle();
    assert_eq!(world.log_bytes(), counted(5, 0, 0).info().size as usize);
}

/// Answers to batches of sequence 0 to 2, and to the one behind them, on a broker that has just started.
fn told_again(disk: Disk) -> Vec<AppendOutcome> {
    let mut world = World::on(disk, config(&["/data"]));
    world.settle();
    let peer = Peer { listener: Arc::from("PLAINTEXT"), address: String::new() };
    world.broker.handle_connect(CLIENT, peer, world.now);
    for sequence in 0..4 {
        world.send(counted(5, 0, sequence));
        world.settle();
    }
    world.answers.into_iter().flat_map(|(_, outcomes)| outcomes).collect()
}

#[test]
fn after_a_crash_the_last_batches_are_known() {
    let mut world = World::ready(1);
    for sequence in 0..3 {
        world.send(counted(5, 0, sequence));
    }
    world.settle();
    assert_eq!(
        told_again(world.disk.clone()),
        [repeated(0), repeated(1), repeated(2), accepted(3)]
    );
}

/// A snapshot holds no more of a producer, as in Kafka.
#[test]
fn after_a_clean_stop_the_last_batch_is_known() {
    let mut world = World::ready(1);
    for sequence in 0..3 {
        world.send(counted(5, 0, sequence));
    }
    world.settle();
    world.broker.handle_shutdown(world.now);
    world.drain();
    world.settle();
    assert_eq!(world.stopped, Some(Exit::Clean));
    let gap = refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(told_again(world.disk.clone()), [gap, gap, repeated(2), accepted(3)]);
}

#[test]
fn write_that_a_crash_took_is_no_duplicate() {
    let mut world = World::ready(1);
    world.send(counted(5, 0, 0));
    world.settle();
    world.send(counted(5, 0, 1));
    // Accepted, and not written.
    assert_eq!(
        told_again(world.disk.clone()),
        [repeated(0), accepted(1), accepted(2), accepted(3)]
    );
}

/// A broker that forgets producers after a minute of silence, and looks every second.
fn forgetful(partitions: i32) -> World {
    let mut config = config(&["/data"]);
    config.topic_defaults.retention_ms = -1;
    config.tasks.producer_id_expiration_ms = 60_000;
    config.tasks.producer_id_expiration_check_interval_ms = 1_000;
    config.limits.logs_per_turn_max = 2;
    config.limits.expiries_per_turn_max = 3;
    World::ready_as(config, partitions)
}

impl World {
    fn known_producers(&self) -> usize {
        self.broker.logs.values().map(|live| live.log.producers().active().len()).sum()
    }
}

#[test]
fn silent_producers_are_forgotten_in_every_log_and_busy_ones_stay() {
    let mut world = forgetful(5);
    for partition in 0..5 {
        for producer in 0..8 {
            world.produce_all(vec![(partition, Some(counted(producer, 0, 0)))], Acks::None, 0);
        }
    }
    world.settle();
    world.pass(Millis(30_000));
    world.settle();
    world.produce_all(vec![(3, Some(counted(7, 0, 1)))], Acks::None, 0);
    world.settle();
    assert_eq!(world.known_producers(), 40);
    world.pass(Millis(31_000));
    assert_eq!(world.known_producers(), 1);
    world.settle();
    world.pass(Millis(30_000));
    assert_eq!(world.known_producers(), 0);
    let number = world.send(counted(1, 0, 9));
    world.settle();
    assert_eq!(world.answers.last(), Some(&(number, vec![accepted(8)])), "it begins anew");
}

#[test]
fn steps_of_the_wall_clock_make_nobody_forgotten() {
    let mut world = forgetful(1);
    for step_ms in [0, 400 * 86_400_000, -800 * 86_400_000] {
        world.now.wall_ms += step_ms;
        world.send(counted(1, 0, 0));
        world.settle();
        world.pass(Millis(5_000));
        world.settle();
        assert_eq!(world.known_producers(), 1, "{step_ms}");
    }
    assert!(world.answers[1..].iter().all(|(_, outcomes)| outcomes[..] == [repeated(0)]));
}
