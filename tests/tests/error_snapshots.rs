//! Every answer that says no, field by field, in `snapshots/`. The requests are those that Apache
//! Kafka was asked too; `conformance.rs` holds the same answers against its own.

use std::collections::BTreeMap;

use klamm_tests::node::Node;
use klamm_tests::recorded::{Exchange, exchanges, node, topics};
use klamm_tests::snapshot;

#[test]
fn api_versions_that_are_refused() {
    snapshot_each(&[
        ("api-versions.v5.unsupported", "unsupported"),
        ("api-versions.v-1.unsupported", "unsupported"),
        ("api-versions.v3.name.space-in-name", "invalid_name"),
        ("api-versions.v4.name.space-in-name", "invalid_name"),
    ]);
}

#[test]
fn metadata_of_what_is_not_there() {
    snapshot_each(&[
        ("metadata.unknown.auto-create.v0", "unknown_topic"),
        ("metadata.unknown.auto-create.v1", "unknown_topic"),
        ("metadata.unknown.no-auto-create.v4", "unknown_topic"),
        ("metadata.unknown.no-auto-create.v9", "unknown_topic"),
        ("metadata.unknown.no-auto-create.v12", "unknown_topic"),
        ("metadata.unknown.no-auto-create.v13", "unknown_topic"),
        ("metadata.invalid-name.slash.v0", "invalid_name"),
        ("metadata.invalid-name.slash.v1", "invalid_name"),
        ("metadata.invalid-name.slash.v12", "invalid_name"),
        ("metadata.invalid-name.empty.v12", "empty_name"),
        ("metadata.internal.absent.v12", "absent_internal_topic"),
        ("metadata.by-id.unknown.v12", "unknown_id"),
        ("metadata.by-id.unknown.v13", "unknown_id"),
        ("metadata.by-id.known.v10-too-old", "id_in_an_old_version"),
        ("metadata.by-id.known.v11-too-old", "id_in_an_old_version"),
        ("metadata.by-id.zero-id-null-name.v12", "neither_id_nor_name"),
        ("metadata.authorized-operations.v8", "unknown_topic_with_operations"),
    ]);
}

#[test]
fn descriptions_of_what_is_not_there() {
    snapshot_each(&[
        ("describe-topic-partitions.unknown", "unknown_topic"),
        ("describe-topic-partitions.invalid-name", "invalid_name"),
        ("describe-topic-partitions.empty-name", "empty_name"),
        ("describe-topic-partitions.cursor-negative", "negative_cursor"),
        ("describe-topic-partitions.cursor-topic-not-in-list", "cursor_outside_the_list"),
        ("describe-topic-partitions.cursor-on-unknown-topic-in-list", "cursor_on_unknown_topic"),
    ]);
}

#[test]
fn rules_and_logins_that_there_are_none_of() {
    snapshot_each(&[
        ("describe-acls.v3.no-authorizer", "no_authorizer"),
        ("create-acls.v3.no-authorizer", "no_authorizer"),
        ("delete-acls.v3.no-authorizer", "no_authorizer"),
        ("sasl-handshake.v1.on-plaintext", "on_plaintext"),
        ("sasl-authenticate.v2.on-plaintext", "on_plaintext"),
    ]);
}

#[test]
fn clusters_and_moves_that_are_not_to_be_had() {
    snapshot_each(&[
        ("describe-cluster.v2.controllers", "controllers"),
        ("describe-quorum.v2.other-topic", "other_topic"),
        ("elect-leaders.v2.not-needed", "not_needed"),
        ("elect-leaders.v2.unknown-topic", "unknown_topic"),
        ("elect-leaders.v2.type-5", "unknown_election"),
        ("unregister-broker.v0.unknown", "unknown_broker"),
        ("update-features.v1.unknown", "unknown_feature"),
        ("update-features.v2.unknown", "unknown_feature"),
        ("alter-partition-reassignments.v0.unknown-broker", "unknown_broker"),
        ("alter-partition-reassignments.v0.cancel", "nothing_to_cancel"),
    ]);
}

#[test]
fn produces_that_are_refused_before_the_batch_is_looked_at() {
    snapshot_each(&[
        ("produce.v3.unknown-topic", "unknown_topic"),
        ("produce.v7.unknown-topic", "unknown_topic"),
        ("produce.v8.unknown-topic", "unknown_topic"),
        ("produce.v9.unknown-topic", "unknown_topic"),
        ("produce.v11.unknown-topic", "unknown_topic"),
        ("produce.v12.unknown-topic", "unknown_topic"),
        ("produce.v13.unknown-id", "unknown_id"),
        ("produce.v13.unknown-partition", "unknown_partition"),
        ("produce.v11.two-batches", "two_batches"),
        ("produce.v11.empty-records", "empty_records"),
        ("produce.v11.null-records", "null_records"),
        ("produce.v11.magic-1", "old_format"),
        ("produce.v3.zstd.garbage", "zstd_in_an_old_version"),
        ("produce.v3.acks-2", "acks_2"),
        ("produce.v8.acks-2", "acks_2"),
        ("produce.v13.acks-2", "acks_2"),
        ("produce.v11.internal-topic", "internal_topic"),
        ("produce.v11.magic-3.fails-the-whole-request", "magic_3"),
        ("produce.v11.batch-length-10", "batch_length_10"),
        (
            "produce.v11.transactional-without-transactional-id.fails-the-whole-request",
            "transactional_batch_without_id",
        ),
        ("produce.v10.transactional.partition-not-added", "transactional_batch"),
        ("produce.v11.transactional", "transactional_batch"),
        ("produce.v12.transactional.not-added-is-added-implicitly", "transactional_batch"),
    ]);
}

#[test]
fn batches_that_are_refused() {
    snapshot_each(&[
        ("produce.v3.wrong-crc", "wrong_crc"),
        ("produce.v8.wrong-crc", "wrong_crc"),
        ("produce.v13.wrong-crc", "wrong_crc"),
        ("produce.v7.base-offset-5", "base_offset_5"),
        ("produce.v11.base-offset-5", "base_offset_5"),
        ("produce.v11.gzip-topic.base-offset-5", "base_offset_5_of_another_codec"),
        ("produce.v11.count-2-of-1", "count_beyond_offsets"),
        ("produce.v11.control-batch", "control_batch"),
        ("produce.v11.producer-id.sequence-minus-1", "producer_without_sequence"),
        ("produce.v11.gzip.garbage", "not_compressed"),
        ("produce.v11.codec-5", "unknown_codec"),
        ("produce.v11.record.headers-1000", "headers_beyond_the_record"),
        ("produce.v7.too-large-for-topic", "too_large"),
        ("produce.v11.too-large-for-topic", "too_large"),
        ("produce.v7.timestamp.plus-2-h", "timestamp_ahead"),
        ("produce.v11.timestamp.plus-2-h", "timestamp_ahead"),
        ("produce.v11.log-append-time.client-sets-attribute", "append_time_of_the_client"),
        ("produce.v13.timestamp.plus-2-h", "timestamp_ahead"),
        ("produce.v7.compact.no-key", "no_key"),
        ("produce.v11.compact.some-keys", "no_key"),
        ("produce.v13.several-topics", "some_of_several_topics"),
    ]);
}

#[test]
fn fetches_that_are_refused() {
    snapshot_each(&[
        ("fetch.v4.unknown-topic", "unknown_topic"),
        ("fetch.v12.unknown-topic", "unknown_topic"),
        ("fetch.v13.unknown-id", "unknown_id"),
        ("fetch.v17.unknown-id", "unknown_id"),
        ("fetch.v17.zero-id", "zero_id"),
        ("fetch.v4.unknown-partition", "unknown_partition"),
        ("fetch.v12.unknown-partition", "unknown_partition"),
        ("fetch.v17.unknown-partition", "unknown_partition"),
        ("fetch.v4.out-of-range", "out_of_range"),
        ("fetch.v12.out-of-range", "out_of_range"),
        ("fetch.v17.out-of-range", "out_of_range"),
        ("fetch.v17.isolation-level-2", "isolation_level_2"),
        ("fetch.v17.both-max-minus-1", "negative_limits"),
        ("fetch.v12.leader-epoch-1", "epoch_ahead"),
        ("fetch.v17.leader-epoch-1", "epoch_ahead"),
        ("fetch.v12.last-fetched-epoch-5", "last_epoch_ahead"),
        ("fetch.v12.replica-id-1", "no_replica"),
        ("fetch.v15.replica-state-5", "no_replica"),
        ("fetch.v17.replica-state-5", "no_replica"),
        ("fetch.session.unknown-id", "unknown_session"),
        ("fetch.session.unknown-id.v12", "unknown_session"),
        ("fetch.session.epoch-minus-2", "session_epoch_minus_2"),
    ]);
}

#[test]
fn offsets_that_are_not_found() {
    snapshot_each(&[
        ("list-offsets.v1.unknown-partition", "unknown_partition"),
        ("list-offsets.v7.unknown-partition", "unknown_partition"),
        ("list-offsets.v7.unknown-topic", "unknown_topic"),
        ("list-offsets.v7.duplicate-partition", "duplicate_partition"),
        ("list-offsets.v7.leader-epoch-5", "epoch_ahead"),
        ("list-offsets.v7.isolation-level-5", "isolation_level_5"),
        ("list-offsets.v1.data.earliest-local", "unsupported_timestamp"),
        ("list-offsets.v6.data.timestamp-3", "unsupported_timestamp"),
        ("list-offsets.v9.data.timestamp-6", "unsupported_timestamp"),
        ("list-offsets.v10.data.minus-7", "unsupported_timestamp"),
        ("list-offsets.v11.data.minus-7", "unsupported_timestamp"),
        ("list-offsets.v11.empty.time-beyond", "not_found"),
        ("offset-for-leader-epoch.v2.epoch3", "unknown_epoch"),
        ("offset-for-leader-epoch.v4.epoch3", "unknown_epoch"),
        ("offset-for-leader-epoch.v4.unknown", "unknown_topic"),
        ("offset-for-leader-epoch.v4.fenced-future", "epoch_ahead"),
    ]);
}

#[test]
fn records_that_are_not_deleted() {
    snapshot_each(&[
        ("delete-records.v0.offset-2", "beyond_the_end"),
        ("delete-records.v1.offset-2", "beyond_the_end"),
        ("delete-records.v2.beyond-high-watermark", "beyond_the_end"),
        ("delete-records.v2.minus-2", "minus_2"),
        ("delete-records.v2.unknown-partition", "unknown_partition"),
        ("delete-records.v2.unknown-topic", "unknown_topic"),
        ("delete-records.v2.compacted-topic", "compacted_topic"),
    ]);
}

#[test]
fn producers_that_are_refused() {
    snapshot_each(&[
        ("init-producer-id.v4.epoch-without-id", "epoch_without_id"),
        ("init-producer-id.v4.empty-transactional-id", "empty_transactional_id"),
        ("init-producer-id.v4.timeout-too-large", "transaction_timeout_too_large"),
        ("init-producer-id.v4.transactional", "transactional"),
        ("init-producer-id.v5.transactional", "transactional"),
        ("describe-producers.v0", "unknown_topic_and_partition"),
    ]);
}

#[test]
fn sequences_that_are_refused() {
    snapshot_each(&[
        ("produce.idempotent.seq-0", "first_sequence"),
        ("produce.idempotent.seq-0.again", "duplicate"),
        ("produce.idempotent.seq-3.gap", "sequence_gap"),
        ("produce.idempotent.v7.gap", "sequence_gap"),
        ("produce.idempotent.v13.gap", "sequence_gap"),
        ("produce.idempotent.epoch-1.seq-5", "sequence_of_a_new_epoch"),
        ("produce.idempotent.epoch-1.seq-0", "new_epoch"),
        ("produce.idempotent.epoch-0.after-epoch-1", "old_producer_epoch"),
    ]);
}

#[test]
fn coordinators_that_are_not_to_be_had() {
    snapshot_each(&[
        ("find-coordinator.v3.type-9", "unknown_type"),
        ("find-coordinator.v4.type-9", "unknown_type"),
        ("find-coordinator.v4.transaction.first", "of_a_transaction"),
        ("find-coordinator.v6.share", "of_a_share_group"),
    ]);
}

#[test]
fn members_that_are_refused() {
    snapshot_each(&[
        ("join-group.v9.empty-group", "empty_group"),
        ("join-group.v9.session-timeout-1", "session_timeout_1"),
        ("join-group.v9.unknown-member-of-unknown-group", "unknown_group"),
        ("sync-group.v5.unknown-group", "unknown_group"),
        ("heartbeat.v4.unknown-group", "unknown_group"),
        ("leave-group.v2.unknown", "unknown_group"),
        ("leave-group.v5.unknown-group", "unknown_group"),
    ]);
}

#[test]
fn groups_that_are_not_there() {
    snapshot_each(&[
        ("describe-groups.v0.unknown", "unknown_group"),
        ("describe-groups.v5.unknown", "unknown_group"),
        ("describe-groups.v6.unknown", "unknown_group"),
        ("delete-groups.v2.unknown", "unknown_group"),
        ("list-groups.v5.bad-type", "unknown_type"),
        ("offset-delete.v0.unknown-group", "unknown_group"),
    ]);
}

#[test]
fn offsets_that_are_not_committed_or_not_known() {
    snapshot_each(&[
        ("offset-commit.v9.unknown-topic", "unknown_topic"),
        ("offset-commit.v9.unknown-partition", "unknown_partition"),
        ("offset-commit.v10.unknown-id", "unknown_id"),
        ("offset-commit.v2.no-group-yet", "of_no_member"),
        ("offset-commit.v9.generation-without-member", "generation_without_member"),
        ("offset-fetch.v1.unknown-group", "unknown_group"),
        ("offset-fetch.v9.unknown-group.all", "unknown_group"),
        ("offset-fetch.v10", "unknown_id"),
    ]);
}

/// Takes exchanges by name, and the name of their snapshot behind API and version.
fn snapshot_each(cases: &[(&str, &str)]) {
    let recorded: BTreeMap<String, Exchange> =
        exchanges().map(|exchange| (exchange.name.clone(), exchange)).collect();
    let mut node: Node = node(&topics());
    for (name, case) in cases {
        let request = &recorded.get(*name).expect("an exchange of that name").request;
        let mut client = node.connect();
        let answer = client.send(&mut node, request);
        client.close(&mut node);
        assert!(!answer.is_empty(), "{name} is answered");
        snapshot(case, request, &answer);
    }
}
