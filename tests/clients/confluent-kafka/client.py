"""Writes with every acks and codec, with and without idempotence, and reads everything back: from the
beginning, from an offset, from a timestamp, in both isolation levels. Creates, configures, grows and
deletes a topic, and finds the next one of its name empty."""

import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from records import CODECS, Record, Records, codec_at, eventually, expect

COUNT = 2000
# Of all kinds, the one of 900 kB that each codec makes smaller.
TEXT = 7
WAIT_S = 30


def main(bootstrap):
    client = Client(bootstrap)
    check_listing(client.admin.list_topics(timeout=WAIT_S))
    for acks in ("0", "1", "all"):
        client.check_reports(acks)
    written = client.check_every_codec()
    client.check_unknown_partition()
    client.check_several_partitions(written)
    client.check_waiting_reader()
    client.check_deletion()
    client.check_administration()
    print("confluent-kafka: all records read back")


def check_listing(metadata):
    partitions = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
    assert partitions.get("plain") == 1 and partitions.get("spread") == 3, partitions
    assert all(topic.error is None for topic in metadata.topics.values()), metadata.topics
    assert list(metadata.brokers) == [1], metadata.brokers


class Client:
    def __init__(self, bootstrap):
        self.settings = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.settings)
        self.records = Records()

    def check_reports(self, acks):
        """Every delivery is reported once, in order."""
        settings = {"acks": acks, "enable.idempotence": False, "linger.ms": 5}
        records = [self.records.make(None, b"value %d" % n, []) for n in range(COUNT)]
        offsets = self.produce(settings, "plain", 0, records)
        if acks != "0":
            assert offsets == list(range(offsets[0], offsets[0] + COUNT)), f"gaps with acks={acks}"

    def check_every_codec(self):
        """The end of each partition of `spread`."""
        written = {0: [], 1: [], 2: []}
        for number, codec in enumerate(CODECS):
            for idempotence in (False, True):
                settings = {
                    "acks": "all",
                    "compression.type": codec,
                    "enable.idempotence": idempotence,
                    "linger.ms": 20,
                }
                partition = number % 3
                records = self.records.all_kinds()
                offsets = self.produce(settings, "spread", partition, records)
                here = written[partition]
                assert offsets == list(range(len(here), len(here) + len(records))), codec
                # It sends what a codec does not make smaller without: not the text, and not many small ones.
                for offset in (offsets[TEXT], offsets[-1]):
                    assert codec_at("spread", partition, offset) == codec, codec
                here.extend(zip(offsets, records))
                self.check_reads(partition, here, f"{codec}, idempotence {idempotence}")
        return written

    def check_reads(self, partition, wanted, what):
        end = len(wanted)
        for isolation in ("read_uncommitted", "read_committed"):
            found = self.consume(partition, 0, end, {"isolation.level": isolation})
            expect(found, wanted, f"{what}, {isolation}")
        # In the middle of a batch.
        for offset in (end - 500, end - 1):
            expect(self.consume(partition, offset, end - offset), wanted[offset:], what)
        offset, record = wanted[end - 600]
        assert self.offset_at(partition, record.timestamp_ms) == offset, what
        assert self.offset_at(partition, record.timestamp_ms - 1) == offset, what
        assert self.offset_at(partition, wanted[-1][1].timestamp_ms + 1) == -1, what
        with_end = self.consumer().get_watermark_offsets
        assert with_end(TopicPartition("spread", partition), timeout=WAIT_S) == (0, end), what
        latest = self.list_offset(partition, OffsetSpec.max_timestamp())
        assert (latest.offset, latest.timestamp) == (end - 1, wanted[-1][1].timestamp_ms), what

    def check_several_partitions(self, written):
        consumer = self.consumer()
        consumer.assign([TopicPartition("spread", partition, 0) for partition in written])
        found = {partition: [] for partition in written}
        for message in self.messages(consumer, sum(map(len, written.values()))):
            found[message.partition()].append(as_record(message))
        for partition, wanted in written.items():
            expect(found[partition], wanted, f"partition {partition} of several")
        consumer.close()

    def check_waiting_reader(self):
        record = self.records.make(b"late", b"comer", [])
        consumer = self.consumer({"fetch.wait.max.ms": 20_000, "fetch.min.bytes": 1})
        start = self.offset_of_end("plain")
        consumer.assign([TopicPartition("plain", 0, start)])
        assert consumer.poll(2) is None
        begun = time.monotonic()
        writer = threading.Thread(target=self.produce, args=({}, "plain", 0, [record]))
        writer.start()
        expect([as_record(next(self.messages(consumer, 1)))], [(start, record)], "a waiting reader")
        assert time.monotonic() - begun < 15, "the reader slept on"
        writer.join()
        consumer.close()

    def check_deletion(self):
        deletion = self.admin.delete_records([TopicPartition("plain", 0, 1500)])
        (result,) = [future.result(WAIT_S) for future in deletion.values()]
        assert result.low_watermark == 1500, result.low_watermark
        low, end = self.consumer().get_watermark_offsets(TopicPartition("plain", 0), timeout=WAIT_S)
        assert (low, end) == (1500, 3 * COUNT + 1), (low, end)
        consumer = self.consumer({"auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition("plain", 0, 3)])
        first = next(self.messages(consumer, 1))
        assert first.offset() == 1500, first.offset()
        consumer.close()
        consumer = self.consumer({"auto.offset.reset": "error"})
        consumer.assign([TopicPartition("plain", 0, 3)])
        error = consumer.poll(WAIT_S).error()
        assert error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET, error
        consumer.close()
        deletion = self.admin.delete_records([TopicPartition("plain", 0, end + 1)])
        try:
            [future.result(WAIT_S) for future in deletion.values()]
            raise AssertionError("deleted beyond the end")
        except KafkaException as refused:
            assert refused.args[0].code() == KafkaError.OFFSET_OUT_OF_RANGE, refused

    def check_administration(self):
        name = "administered"
        topic = NewTopic(name, 2, 1, config={"segment.bytes": "1048576"})
        check = self.admin.create_topics([topic], validate_only=True)[name]
        check.result(WAIT_S)
        assert self.partitions(name) is None, "a check made a topic"
        self.admin.create_topics([topic])[name].result(WAIT_S)
        eventually(lambda: self.partitions(name) == [0, 1], "a new topic")
        again = self.admin.create_topics([topic])[name]
        expect_error(again, KafkaError.TOPIC_ALREADY_EXISTS)
        wide = self.admin.create_topics([NewTopic("wide", 1, 2)])["wide"]
        expect_error(wide, KafkaError.INVALID_REPLICATION_FACTOR)

        self.check_configs(name)
        for partition in (0, 1):
            assert self.produce({}, name, partition, self.records.all_kinds())[0] == 0
        self.admin.create_partitions([NewPartitions(name, 3)])[name].result(WAIT_S)
        smaller = self.admin.create_partitions([NewPartitions(name, 1)])[name]
        expect_error(smaller, KafkaError.INVALID_PARTITIONS)
        eventually(lambda: self.partitions(name) == [0, 1, 2], "a third partition")
        assert self.produce({}, name, 2, [self.records.make(None, b"grown", [])]) == [0]

        self.admin.delete_topics([name])[name].result(WAIT_S)
        eventually(lambda: self.partitions(name) is None, "still listed")
        expect_error(self.admin.delete_topics([name])[name], KafkaError.UNKNOWN_TOPIC_OR_PART)
        self.admin.create_topics([NewTopic(name, 3, 1)])[name].result(WAIT_S)
        eventually(lambda: self.partitions(name) == [0, 1, 2], "a new topic")
        for partition in range(3):
            place = TopicPartition(name, partition)
            offsets = self.consumer().get_watermark_offsets(place, timeout=WAIT_S)
            assert offsets == (0, 0), offsets
        self.expect_configs(name, {"segment.bytes": "1073741824"})
        segment_bytes = self.describe("topic", name)["segment.bytes"]
        assert segment_bytes.source == ConfigSource.DEFAULT_CONFIG.value, segment_bytes.source
        self.admin.delete_topics([name])[name].result(WAIT_S)

    def check_configs(self, name):
        self.expect_configs(name, {"segment.bytes": "1048576"})
        found = self.describe("topic", name)
        assert found["cleanup.policy"].is_default, found["cleanup.policy"]
        self.alter("topic", name, ("retention.ms", AlterConfigOpType.SET, "86400000"))
        self.alter("topic", name, ("cleanup.policy", AlterConfigOpType.APPEND, "compact"))
        self.expect_configs(name, {"retention.ms": "86400000", "cleanup.policy": "delete,compact"})
        assert self.describe("topic", name)["segment.bytes"].value == "1048576"
        self.alter("topic", name, ("cleanup.policy", AlterConfigOpType.DELETE, None))
        self.expect_configs(name, {"cleanup.policy": "delete"})
        try:
            self.alter("topic", name, ("retention.ms", AlterConfigOpType.SET, "soon"))
            raise AssertionError("retention.ms=soon was taken")
        except KafkaException as refused:
            assert refused.args[0].code() == KafkaError.INVALID_CONFIG, refused

        self.alter("broker", "1", ("log.retention.ms", AlterConfigOpType.SET, "604800001"))

        def retention():
            return self.describe("broker", "1")["log.retention.ms"]

        eventually(lambda: retention().value == "604800001", "log.retention.ms")
        assert retention().source == ConfigSource.DYNAMIC_BROKER_CONFIG.value, retention().source
        self.alter("broker", "1", ("log.retention.ms", AlterConfigOpType.DELETE, None))

    def expect_configs(self, topic, wanted):
        def found():
            return {key: self.describe("topic", topic)[key].value for key in wanted}

        eventually(lambda: found() == wanted, wanted)

    def partitions(self, topic):
        listed = self.admin.list_topics(timeout=WAIT_S).topics.get(topic)
        return listed and sorted(listed.partitions)

    def describe(self, kind, name):
        (described,) = self.admin.describe_configs([ConfigResource(kind, name)]).values()
        return described.result(WAIT_S)

    def alter(self, kind, name, change):
        key, operation, value = change
        entry = ConfigEntry(key, value, incremental_operation=operation)
        resource = ConfigResource(kind, name, incremental_configs=[entry])
        (altered,) = self.admin.incremental_alter_configs([resource]).values()
        altered.result(WAIT_S)

    def check_unknown_partition(self):
        errors = []
        producer = Producer({**self.settings, "message.timeout.ms": 5000})
        report = lambda error, _: errors.append(error)
        producer.produce("spread", value=b"x", partition=7, on_delivery=report)
        producer.flush(20)
        assert [error.code() for error in errors] == [KafkaError._UNKNOWN_PARTITION], errors

    def produce(self, settings, topic, partition, records):
        """The reported offsets."""
        delivered = []
        producer = Producer({**self.settings, **settings})

        def report(error, message):
            assert error is None, error
            delivered.append(message.offset())

        for record in records:
            producer.produce(
                topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                timestamp=record.timestamp_ms,
                partition=partition,
                on_delivery=report,
            )
            producer.poll(0)
        left = producer.flush(60)
        assert left == 0, f"{left} records have no report: {settings}"
        assert len(delivered) == len(records), f"{len(delivered)} reports: {settings}"
        return delivered

    def consumer(self, settings={}):
        # A group id is asked for, and not used: partitions are assigned, nothing is committed.
        fixed = {"group.id": "none", "enable.auto.commit": False}
        return Consumer({**self.settings, **fixed, "check.crcs": True, **settings})

    def consume(self, partition, offset, count, settings={}):
        consumer = self.consumer(settings)
        consumer.assign([TopicPartition("spread", partition, offset)])
        found = [as_record(message) for message in self.messages(consumer, count)]
        consumer.close()
        return found

    def messages(self, consumer, count):
        deadline = time.monotonic() + 60
        while count > 0:
            assert time.monotonic() < deadline, f"{count} messages are missing"
            message = consumer.poll(1)
            if message is None:
                continue
            assert message.error() is None, message.error()
            count -= 1
            yield message

    def offset_at(self, partition, timestamp_ms):
        asked = [TopicPartition("spread", partition, timestamp_ms)]
        (answer,) = self.consumer().offsets_for_times(asked, timeout=WAIT_S)
        assert answer.error is None, answer.error
        return answer.offset

    def list_offset(self, partition, spec):
        asked = {TopicPartition("spread", partition): spec}
        (answer,) = self.admin.list_offsets(asked).values()
        return answer.result(WAIT_S)

    def offset_of_end(self, topic):
        ends = self.consumer().get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S)
        return ends[1]


def expect_error(future, code):
    try:
        future.result(WAIT_S)
    except KafkaException as refused:
        assert refused.args[0].code() == code, refused
    else:
        raise AssertionError(f"no error {code}")


def as_record(message):
    kind, timestamp_ms = message.timestamp()
    assert kind == 1, f"timestamp of kind {kind}"
    headers = message.headers() or []
    return message.offset(), Record(message.key(), message.value(), headers, timestamp_ms)


if __name__ == "__main__":
    main(sys.argv[1])
