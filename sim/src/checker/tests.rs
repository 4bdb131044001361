//! The checkers on histories made by hand.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Broken, Checker, TopicFormat};
use crate::disk::Crash;
use crate::history::{
    AppendId, Entry, Question, QuestionId, SeenRecord, Sequence, Told, TopicPartition,
};
use crate::reader::{StoredLog, StoredRecord};

fn target() -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), partition: 0 }
}

/// The append of that number, of two records that are named after it.
fn invoke(append: u64, sequence: Option<Sequence>) -> Entry {
    Entry::Invoke {
        append: AppendId(append),
        client: 0,
        target: target(),
        records: vec![append * 10, append * 10 + 1],
        keyed: false,
        sent_ms: 5,
        sequence,
        by_name: false,
    }
}

fn checker(page_cache: bool) -> Checker {
    let mut checker = Checker::new(page_cache);
    for append in 1..=3 {
        checker.observe(0, &invoke(append, None));
    }
    checker
}

fn log(records: &[u64]) -> BTreeMap<TopicPartition, StoredLog> {
    let stored = |(offset, record): (i64, &u64)| StoredRecord {
        is_tombstone: false,
        offset,
        key: Bytes::new(),
        value: Bytes::copy_from_slice(&record.to_be_bytes()),
        timestamp_ms: 5,
        append_time: false,
        codec: 0,
    };
    let records = (0..).zip(records).map(stored).collect();
    BTreeMap::from([(target(), StoredLog { records, ..StoredLog::default() })])
}

fn judged(checker: &mut Checker, records: &[u64]) -> Vec<Broken> {
    checker.check(&log(records), |_| true);
    checker.take_broken()
}

fn ok(append: u64, base_offset: i64) -> Entry {
    Entry::Ok { append: AppendId(append), base_offset, append_ms: -1 }
}

#[test]
fn what_was_acknowledged_is_there_and_what_was_not_may_be() {
    let mut checker = checker(false);
    checker.observe(0, &ok(2, 0));
    assert_eq!(judged(&mut checker, &[20, 21]), []);
    assert_eq!(judged(&mut checker, &[20, 21, 10, 11]), []);
    assert!(matches!(judged(&mut checker, &[20])[..], [Broken::Lost { offset: 1, .. }]));
    assert!(matches!(judged(&mut checker, &[21, 20])[..], [Broken::Lost { .. }, _]));
}

#[test]
fn a_record_is_there_once_and_only_where_it_was_sent() {
    let mut checker = checker(false);
    checker.observe(0, &Entry::Error { append: AppendId(3), error: 3 });
    assert!(matches!(judged(&mut checker, &[10, 10])[..], [Broken::Duplicated { .. }]));
    assert!(matches!(
        judged(&mut checker, &[30])[..],
        [Broken::Unasked { why: "was refused", .. }]
    ));
    assert!(matches!(judged(&mut checker, &[99])[..], [Broken::Unasked { .. }]));
    let mut elsewhere = log(&[10]);
    let stored = elsewhere.remove(&target()).unwrap();
    elsewhere.insert(TopicPartition { topic: "u".to_owned(), partition: 0 }, stored);
    checker.check(&elsewhere, |_| true);
    assert!(matches!(
        checker.take_broken()[..],
        [Broken::Unasked { why: "was sent elsewhere", .. }]
    ));
}

#[test]
fn an_error_of_storage_leaves_it_open_whether_it_happened() {
    let mut checker = checker(false);
    checker.observe(0, &Entry::Error { append: AppendId(1), error: 56 });
    assert_eq!(judged(&mut checker, &[10, 11]), []);
    assert_eq!(judged(&mut checker, &[]), []);
}

#[test]
fn one_offset_is_given_once_and_one_append_answered_once() {
    let mut checker = checker(false);
    checker.observe(0, &ok(1, 0));
    checker.observe(0, &ok(2, 1));
    assert!(matches!(checker.take_broken()[..], [Broken::OffsetGivenTwice { offset: 1, .. }]));
    checker.observe(0, &ok(1, 7));
    assert_eq!(checker.take_broken(), [Broken::AnsweredTwice { append: AppendId(1) }]);
}

#[test]
fn page_cache_mode_promises_nothing_beyond_a_power_loss_unless_stopped_well() {
    let mut checker = checker(true);
    checker.observe(0, &ok(1, 0));
    checker.observe(0, &Entry::Crashed(Crash::Killed));
    assert_eq!(judged(&mut checker, &[]).len(), 2);
    checker.observe(0, &Entry::Stopped);
    checker.observe(0, &ok(2, 2));
    checker.observe(0, &Entry::Crashed(Crash::PowerLoss));
    assert_eq!(judged(&mut checker, &[]).len(), 2, "the first is firm, the second is not");
    assert_eq!(judged(&mut checker, &[10, 11]), []);
}

#[test]
fn a_record_is_stored_as_its_topic_wants_it() {
    let format = TopicFormat { codec: Some(4), append_time: true, ..TopicFormat::default() };
    let formats = BTreeMap::from([("t".to_owned(), format)]);
    let mut checker = checker(false).with_formats(formats);
    let answer = Entry::Ok { append: AppendId(1), base_offset: 0, append_ms: 9 };
    checker.observe(0, &answer);
    let mut why_changed = |key: &'static [u8], timestamp_ms, append_time, codec| {
        let mut logs = log(&[10, 11]);
        for stored in &mut logs.get_mut(&target()).unwrap().records {
            let (offset, value) = (stored.offset, stored.value.clone());
            let key = Bytes::from_static(key);
            *stored = StoredRecord {
                offset,
                key,
                value,
                is_tombstone: false,
                timestamp_ms,
                append_time,
                codec,
            };
        }
        checker.check(&logs, |_| true);
        checker.take_broken().into_iter().next().map(|broken| match broken {
            Broken::Changed { why, .. } => why,
            other => panic!("{other}"),
        })
    };
    assert_eq!(why_changed(b"", 9, true, 4), None);
    assert_eq!(why_changed(b"k", 9, true, 4), Some("has another key"));
    assert_eq!(why_changed(b"", 9, true, 0), Some("is not stored with its topic's codec"));
    assert_eq!(why_changed(b"", 9, false, 4), Some("has a timestamp of the wrong type"));
    assert_eq!(why_changed(b"", 8, true, 4), Some("was answered with another time of the append"));
}

#[test]
fn without_a_stamp_a_record_keeps_the_time_it_was_sent_with() {
    let mut checker = checker(false);
    checker.observe(0, &ok(1, 0));
    let mut logs = log(&[10, 11]);
    logs.get_mut(&target()).unwrap().records[1].timestamp_ms = 6;
    checker.check(&logs, |_| true);
    assert!(matches!(
        checker.take_broken()[..],
        [Broken::Changed { record: 11, why: "has another timestamp", .. }]
    ));
}

#[test]
fn a_log_in_service_is_readable_to_its_end() {
    let mut checker = checker(false);
    let whole = log(&[10]);
    let (mut torn, mut gapped) = (whole.clone(), whole.clone());
    torn.get_mut(&target()).unwrap().fault = Some("CRC".to_owned());
    gapped.get_mut(&target()).unwrap().gaps = vec![(1, 3)];
    for logs in [&torn, &gapped] {
        checker.check(&whole, |_| true);
        checker.check(logs, |_| true);
        assert!(matches!(checker.take_broken()[..], [Broken::Unreadable { .. }]));
        checker.check(logs, |_| false);
        assert_eq!(checker.take_broken(), []);
    }
    for _ in 0..2 {
        checker.check(&gapped, |_| true);
        assert_eq!(checker.take_broken(), [], "a broker has served without it");
    }
}

mod answers {
    use super::{Broken, Checker, checker, invoke, ok, target};
    use crate::disk::Crash;
    use crate::history::{
        ActiveProducer, AppendId, Entry, Fetched, Question, QuestionId, SeenRecord, Sequence, Told,
    };

    use bytes::Bytes;

    fn seen(offset: i64, record: u64) -> SeenRecord {
        let (key, timestamp_ms, append_time, codec) = (Bytes::new(), 5, false, 0);
        SeenRecord { offset, record, key, timestamp_ms, append_time, codec }
    }

    fn fetched(end: i64, records: &[(i64, u64)]) -> Told {
        Told::Fetched(Fetched {
            high_watermark: end,
            last_stable: end,
            records: records.iter().map(|(offset, record)| seen(*offset, *record)).collect(),
            ..Fetched::default()
        })
    }

    /// Ten and eleven are at 0 and 1; nobody knows of the others.
    fn told_of_two(page_cache: bool) -> Checker {
        let mut checker = checker(page_cache);
        checker.observe(0, &ok(1, 0));
        checker
    }

    fn ask(checker: &mut Checker, number: u64, what: Question) {
        let question = QuestionId(number);
        checker.observe(0, &Entry::Asked { question, target: target(), what, by_name: false });
    }

    fn tell(checker: &mut Checker, number: u64, told: Told) -> Vec<Broken> {
        checker.observe(0, &Entry::Told { question: QuestionId(number), told });
        checker.take_broken()
    }

    fn answered(checker: &mut Checker, what: Question, told: Told) -> Vec<Broken> {
        ask(checker, 1, what);
        tell(checker, 1, told)
    }

    fn misread(found: &[Broken], part: &str) -> bool {
        matches!(found, [Broken::Misread { what, .. }] if what.contains(part))
    }

    const FIRST: Question = Question::Fetch { from: 0 };

    #[test]
    fn what_lies_in_the_log_may_be_told() {
        let mut checker = told_of_two(false);
        let log = [(0, 10), (1, 11), (2, 20), (3, 21)];
        assert_eq!(answered(&mut checker, FIRST, fetched(2, &log[..2])), []);
        assert_eq!(answered(&mut checker, FIRST, fetched(4, &log)), []);
        assert_eq!(answered(&mut checker, Question::Fetch { from: 4 }, fetched(4, &[])), []);
        assert_eq!(answered(&mut checker, Question::Fetch { from: 3 }, fetched(4, &log[2..])), []);
    }

    #[test]
    fn the_high_watermark_never_falls_and_never_passes_what_was_sent() {
        let mut checker = told_of_two(false);
        let end = Question::Fetch { from: 2 };
        assert!(misread(&answered(&mut checker, end, fetched(1, &[])), "2 was told before"));
        assert!(misread(&answered(&mut checker, end, fetched(7, &[])), "no more than 6"));
        assert_eq!(answered(&mut checker, end, fetched(2, &[])), []);
    }

    #[test]
    fn an_answer_under_way_may_be_older_than_what_is_known() {
        let mut checker = checker(false);
        ask(&mut checker, 1, FIRST);
        checker.observe(0, &ok(1, 0));
        assert_eq!(tell(&mut checker, 1, fetched(0, &[])), []);
    }

    #[test]
    fn records_are_read_where_they_were_acknowledged_and_without_gaps() {
        let mut checker = told_of_two(false);
        let moved = answered(&mut checker, FIRST, fetched(2, &[(0, 11), (1, 10)]));
        assert!(matches!(moved[..], [Broken::OffsetGivenTwice { .. }, ..]), "{moved:?}");
        let told = fetched(4, &[(0, 10), (1, 11), (3, 20)]);
        assert!(misread(&answered(&mut told_of_two(false), FIRST, told), "3 follows 1"));
        let told = fetched(2, &[(1, 11)]);
        assert!(misread(&answered(&mut told_of_two(false), FIRST, told), "1 to 1"));
    }

    #[test]
    fn what_is_there_is_not_withheld() {
        let told = fetched(2, &[]);
        assert!(misread(&answered(&mut told_of_two(false), FIRST, told), "nothing from 0 on"));
    }

    #[test]
    fn what_was_read_must_stay() {
        let read = |page_cache| {
            let mut checker = checker(page_cache);
            assert_eq!(answered(&mut checker, FIRST, fetched(2, &[(0, 20), (1, 21)])), []);
            checker.observe(0, &Entry::Crashed(Crash::PowerLoss));
            checker.check(&super::log(&[]), |_| true);
            checker.take_broken()
        };
        assert!(matches!(read(false)[..], [Broken::Lost { .. }, Broken::Lost { .. }]));
        assert_eq!(read(true), []);
    }

    #[test]
    fn the_start_moves_forward_only_and_only_as_far_as_was_asked() {
        let mut checker = told_of_two(false);
        let delete = Question::Delete { before: 1 };
        assert_eq!(answered(&mut checker, delete, Told::Start { offset: 1 }), []);
        let earliest = Question::Offset { timestamp_ms: -2 };
        let told = |offset| Told::Offset { offset, timestamp_ms: -1 };
        assert_eq!(answered(&mut checker, earliest, told(1)), []);
        assert!(misread(&answered(&mut checker, earliest, told(0)), "1 was told before"));
        assert!(misread(&answered(&mut checker, earliest, told(2)), "nothing beyond 1"));
        checker.check(&super::log(&[]), |_| true);
        assert!(matches!(checker.take_broken()[..], [Broken::Lost { offset: 1, .. }]));
    }

    #[test]
    fn a_deletion_that_is_out_of_range_moves_no_start() {
        let earliest = Question::Offset { timestamp_ms: -2 };
        let told = Told::Offset { offset: 2, timestamp_ms: -1 };
        for (error, is_done) in [(1, false), (56, true)] {
            let mut checker = told_of_two(false);
            let delete = Question::Delete { before: 7 };
            assert_eq!(answered(&mut checker, delete, Told::Error(error)), []);
            let found = answered(&mut checker, earliest, told.clone());
            assert_eq!(misread(&found, "nothing beyond 0"), !is_done, "{error}: {found:?}");
        }
    }

    #[test]
    fn a_deletion_up_to_the_end_allows_all_of_it() {
        let mut checker = told_of_two(false);
        ask(&mut checker, 1, Question::Delete { before: -1 });
        checker.check(&BTreeMap::new(), |_| true);
        assert_eq!(checker.take_broken(), []);
        assert_eq!(tell(&mut checker, 1, Told::Start { offset: 2 }), []);
    }

    use std::collections::BTreeMap;

    #[test]
    fn timestamps_have_one_offset() {
        let mut checker = told_of_two(false);
        let found = |timestamp_ms, offset, found_ms| {
            let told = Told::Offset { offset, timestamp_ms: found_ms };
            answered(&mut checker, Question::Offset { timestamp_ms }, told)
        };
        let mut found = found;
        assert_eq!(found(5, 0, 5), []);
        assert!(misread(&found(5, 1, 5), "0 comes first"));
        assert!(misread(&found(5, -1, -1), "nowhere"));
        assert!(misread(&found(6, 2, 5), "is at 2 with 5"));
        assert_eq!(found(6, -1, -1), []);
        assert_eq!(found(-1, 2, -1), []);
        assert!(misread(&found(-1, 1, -1), "latest offset 1"));
        assert!(misread(&found(-3, 0, 4), "latest timestamp 4"));
    }

    #[test]
    fn what_is_in_range_is_served() {
        let mut checker = told_of_two(false);
        let mut refused = |from| answered(&mut checker, Question::Fetch { from }, Told::Error(1));
        assert!(misread(&refused(1), "out of range"));
        assert!(misread(&refused(2), "out of range"));
        assert_eq!(refused(3), []);
        assert_eq!(refused(-1), []);
    }

    #[test]
    fn a_wait_ends_when_there_is_something() {
        let told = |at_micros| {
            let mut checker = checker(false);
            ask(&mut checker, 1, FIRST);
            checker.observe(1_000_000, &ok(1, 0));
            let Told::Fetched(fetched) = fetched(2, &[(0, 10), (1, 11)]) else { unreachable!() };
            let told = Fetched { patience_micros: Some(60_000_000), ..fetched };
            let told = Entry::Told { question: QuestionId(1), told: Told::Fetched(told) };
            checker.observe(at_micros, &told);
            checker.take_broken()
        };
        assert_eq!(told(20_000_000), []);
        assert!(misread(&told(40_000_000), "not woken"));
    }

    #[test]
    fn an_idempotent_batch_is_there_once_however_often_it_is_sent() {
        let mut checker = checker(false);
        checker.observe(0, &Entry::Unknown { append: AppendId(1) });
        checker.observe(0, &Entry::Resent { append: AppendId(1) });
        checker.observe(0, &Entry::Error { append: AppendId(1), error: 45 });
        assert_eq!(super::judged(&mut checker, &[10, 11]), [], "the first one may have come");
        checker.observe(0, &Entry::Resent { append: AppendId(1) });
        checker.observe(0, &ok(1, 0));
        checker.observe(0, &Entry::Resent { append: AppendId(1) });
        checker.observe(0, &ok(1, 2));
        assert!(matches!(checker.take_broken()[..], [Broken::Duplicated { .. }, _]));
        checker.observe(0, &ok(1, 0));
        assert!(matches!(checker.take_broken()[..], [Broken::AnsweredTwice { .. }]));
    }

    #[test]
    fn a_batch_below_the_start_is_accepted_anew_once_the_broker_has_started_since() {
        let judged = |start, restarts: bool, records: &[u64]| {
            let mut checker = checker_of_producer();
            checker.observe(0, &Entry::Unknown { append: AppendId(1) });
            checker.allow_start(&target(), start);
            if restarts {
                checker.observe(0, &Entry::Crashed(Crash::Killed));
                checker.observe(0, &Entry::Recovered);
            }
            checker.observe(0, &Entry::Resent { append: AppendId(1) });
            super::judged(&mut checker, records)
        };
        let twice = [10, 11, 10, 11];
        assert_eq!(judged(2, true, &twice), []);
        assert_eq!(judged(2, false, &twice).len(), 2, "it remembers what it appended itself");
        assert_eq!(judged(1, true, &twice).len(), 2, "a part of the batch is above the start");
        assert_eq!(judged(0, true, &twice).len(), 2);
        let known = judged(2, true, &[10, 11, 20, 10, 11]);
        assert_eq!(known.len(), 2, "a later batch of its above the start tells of the producer");
    }

    #[test]
    fn a_record_that_is_accepted_anew_counts_twice() {
        let mut checker = checker_of_producer();
        checker.observe(0, &ok(1, 0));
        checker.observe(0, &ok(2, 2));
        checker.allow_start(&target(), 4);
        checker.observe(0, &Entry::Crashed(Crash::Killed));
        checker.observe(0, &Entry::Resent { append: AppendId(2) });
        checker.observe(0, &ok(2, 4));
        assert_eq!(checker.take_broken(), []);
        assert!(checker.log(&target()).is_some_and(|log| log.end().1 >= 6));
        checker.observe(0, &Entry::Resent { append: AppendId(2) });
        checker.observe(0, &ok(2, 6));
        assert!(matches!(checker.take_broken()[..], [Broken::Duplicated { .. }, _]));
    }

    /// Two batches of one producer.
    fn checker_of_producer() -> Checker {
        let mut checker = Checker::new(false);
        for append in 1..=2 {
            let first = 2 * (append as i32 - 1);
            let sequence = Some(Sequence { producer: 4, epoch: 0, first });
            checker.observe(0, &invoke(append, sequence));
        }
        checker
    }

    #[test]
    fn a_producer_that_was_answered_is_known() {
        let (records, client) = (vec![70, 71], 0);
        let sequence = Some(Sequence { producer: 4, epoch: 0, first: 8 });
        let (append, keyed, sent_ms) = (AppendId(7), false, 5);
        let mut checker = Checker::new(false);
        let target = target();
        checker.observe(
            0,
            &Entry::Invoke {
                append,
                client,
                target,
                records,
                keyed,
                sent_ms,
                sequence,
                by_name: false,
            },
        );
        checker.observe(0, &ok(7, 0));
        let known = |last_sequence| {
            Told::Producers(vec![ActiveProducer { id: 4, epoch: 0, last_sequence }])
        };
        assert_eq!(answered(&mut checker, Question::Producers, known(9)), []);
        assert!(misread(&answered(&mut checker, Question::Producers, known(8)), "is known as"));
        let told = answered(&mut checker, Question::Producers, Told::Producers(Vec::new()));
        assert!(misread(&told, "is known as None"));
    }

    #[test]
    fn a_producers_id_is_given_once() {
        let mut checker = checker(false);
        let given = Entry::Producer { id: 3, epoch: 0 };
        checker.observe(0, &given);
        assert_eq!(checker.take_broken(), []);
        checker.observe(0, &given);
        assert_eq!(checker.take_broken(), [Broken::ProducerGivenTwice { id: 3 }]);
    }
}

/// What is wrong with a consumer that stands at `from` and is given these offsets and records.
fn wrong_poll(checker: &mut Checker, from: i64, seen: &[(i64, u64)]) -> Option<Broken> {
    let question = QuestionId(99);
    let what = Question::Fetch { from };
    checker.observe(10, &Entry::Asked { question, target: target(), what, by_name: false });
    let seen = seen.iter().map(|&(offset, record)| SeenRecord {
        offset,
        record,
        key: Bytes::new(),
        timestamp_ms: 5,
        append_time: false,
        codec: 0,
    });
    checker.observe(11, &Entry::Told { question, told: Told::Polled(seen.collect()) });
    checker.take_broken().into_iter().next()
}

#[test]
fn a_consumer_skips_nothing_and_goes_back_to_nothing() {
    let mut checker = checker(false);
    checker.observe(1, &ok(1, 0));
    checker.observe(2, &ok(2, 2));
    let all = [(0, 10), (1, 11), (2, 20), (3, 21)];
    assert_eq!(wrong_poll(&mut checker, 0, &all), None);
    assert_eq!(wrong_poll(&mut checker, 1, &all[1..]), None);
    let skipped = [all[0], all[2]];
    assert!(matches!(wrong_poll(&mut checker, 0, &skipped), Some(Broken::Misread { .. })));
    assert!(matches!(wrong_poll(&mut checker, 2, &all[1..]), Some(Broken::Misread { .. })));
    checker.allow_start(&target(), 2);
    assert_eq!(wrong_poll(&mut checker, 0, &all[2..]), None, "what lay before may be deleted");
    let wrong = wrong_poll(&mut checker, 2, &[(2, 30)]);
    assert!(matches!(wrong, Some(Broken::OffsetGivenTwice { .. })), "{wrong:?}");
    let nobodys = wrong_poll(&mut checker, 4, &[(4, 77)]);
    assert!(matches!(nobodys, Some(Broken::Unasked { .. })), "{nobodys:?}");
}

#[test]
fn readers_may_pass_over_a_gap_that_a_start_has_kept_and_no_further() {
    let mut checker = checker(true);
    // The first append is lost, of the second one the first record.
    let mut logs = log(&[]);
    logs.get_mut(&target()).expect("it is there").gaps = vec![(0, 3)];
    checker.check(&logs, |_| true);
    assert_eq!(wrong_poll(&mut checker, 0, &[(3, 21)]), None);
    assert_eq!(wrong_poll(&mut checker, 1, &[(3, 21), (4, 30)]), None);
    assert!(matches!(wrong_poll(&mut checker, 0, &[(4, 30)]), Some(Broken::Misread { .. })));
    assert_eq!(checker.log(&target()).map(|log| log.keeps_gap(0, 4)), Some(false));
}
