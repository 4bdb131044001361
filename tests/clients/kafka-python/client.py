"""Writes with every acks and codec, with and without idempotence, and reads everything back: from the
beginning, from an offset, from a timestamp, with and without fetch sessions. Creates, configures, grows
and deletes a topic, and finds the next one of its name empty."""

import sys
import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import AlterConfigOp, ConfigResource
from kafka.errors import (
    InvalidPartitionsError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from records import CODECS, Record, Records, eventually, expect

COUNT = 1000
WAIT_S = 30
WAIT_MS = WAIT_S * 1000


def main(bootstrap):
    client = Client(bootstrap)
    assert {"plain", "spread"} <= set(client.consumer().topics())
    for acks in (0, 1, "all"):
        client.check_reports(acks)
    written = client.check_every_codec()
    client.check_several_partitions(written)
    client.check_waiting_reader()
    client.check_deletion()
    client.check_administration()
    print("kafka-python: all records read back")


class Client:
    def __init__(self, bootstrap):
        self.settings = {"bootstrap_servers": bootstrap}
        self.records = Records()

    def check_reports(self, acks):
        settings = {"acks": acks, "enable_idempotence": False, "linger_ms": 5}
        records = [self.records.make(None, b"value %d" % n, []) for n in range(COUNT)]
        offsets = self.produce(settings, "plain", 0, records)
        if acks != 0:
            assert offsets == list(range(offsets[0], offsets[0] + COUNT)), f"gaps with acks={acks}"

    def check_every_codec(self):
        """What was written to each partition of `spread`."""
        written = {0: [], 1: [], 2: []}
        for number, codec in enumerate(CODECS):
            for idempotence in (False, True):
                settings = {
                    "acks": "all",
                    "compression_type": None if codec == "none" else codec,
                    "enable_idempotence": idempotence,
                    "linger_ms": 20,
                }
                partition = number % 3
                records = [kind for kind in self.records.all_kinds() if can_be_sent(kind)]
                offsets = self.produce(settings, "spread", partition, records)
                here = written[partition]
                assert offsets == list(range(len(here), len(here) + len(records))), codec
                here.extend(zip(offsets, records))
                self.check_reads(partition, here, f"{codec}, idempotence {idempotence}")
        return written

    def check_reads(self, partition, wanted, what):
        end = len(wanted)
        for sessions in (True, False):
            settings = {"enable_incremental_fetch_sessions": sessions}
            found = self.consume(partition, 0, end, settings)
            expect(found, wanted, f"{what}, sessions {sessions}")
        # In the middle of a batch.
        for offset in (end - 500, end - 1):
            settings = {"isolation_level": "read_committed"}
            found = self.consume(partition, offset, end - offset, settings)
            expect(found, wanted[offset:], what)
        place = TopicPartition("spread", partition)
        consumer = self.consumer()
        offset, record = wanted[end - 600]
        for timestamp_ms in (record.timestamp_ms - 1, record.timestamp_ms):
            answer = consumer.offsets_for_times({place: timestamp_ms})[place]
            assert (answer.offset, answer.timestamp) == (offset, record.timestamp_ms), what
        assert consumer.offsets_for_times({place: wanted[-1][1].timestamp_ms + 1})[place] is None
        assert consumer.beginning_offsets([place]) == {place: 0}, what
        assert consumer.end_offsets([place]) == {place: end}, what
        consumer.close()

    def check_several_partitions(self, written):
        consumer = self.consumer()
        places = [TopicPartition("spread", partition) for partition in written]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found = {partition: [] for partition in written}
        for message in self.messages(consumer, sum(map(len, written.values()))):
            found[message.partition].append(as_record(message))
        for partition, wanted in written.items():
            expect(found[partition], wanted, f"partition {partition} of several")
        consumer.close()

    def check_waiting_reader(self):
        record = self.records.make(b"late", b"comer", [])
        consumer = self.consumer({"fetch_max_wait_ms": 20_000})
        place = TopicPartition("plain", 0)
        start = consumer.end_offsets([place])[place]
        consumer.assign([place])
        consumer.seek(place, start)
        assert not consumer.poll(2000)
        begun = time.monotonic()
        writer = threading.Thread(target=self.produce, args=({}, "plain", 0, [record]))
        writer.start()
        expect([as_record(next(self.messages(consumer, 1)))], [(start, record)], "a waiting reader")
        assert time.monotonic() - begun < 15, "the reader slept on"
        writer.join()
        consumer.close()

    def check_deletion(self):
        place = TopicPartition("plain", 0)
        admin = KafkaAdminClient(**self.settings)
        (answer,) = admin.delete_records({place: 1500}, timeout_ms=WAIT_MS).values()
        assert answer["low_watermark"] == 1500, answer
        admin.close()
        consumer = self.consumer({"auto_offset_reset": "earliest"})
        assert consumer.beginning_offsets([place]) == {place: 1500}
        consumer.assign([place])
        consumer.seek(place, 3)
        first = next(self.messages(consumer, 1))
        assert first.offset == 1500, first.offset
        consumer.close()
        consumer = self.consumer({"auto_offset_reset": "none"})
        consumer.assign([place])
        consumer.seek(place, 3)
        try:
            next(self.messages(consumer, 1))
            raise AssertionError("a deleted record was read")
        except OffsetOutOfRangeError:
            pass
        consumer.close()

    def check_administration(self):
        name = "administered"
        admin = KafkaAdminClient(**self.settings)
        topic = {"num_partitions": 2, "replication_factor": 1, "configs": {"segment.bytes": "1048576"}}
        admin.create_topics({name: topic}, validate_only=True)
        assert name not in admin.list_topics(), "a check made a topic"
        admin.create_topics({name: topic}, wait_for_metadata=True)
        expect_error(TopicAlreadyExistsError, lambda: admin.create_topics({name: topic}))

        def configs(**settings):
            (found,) = admin.describe_configs([ConfigResource("topic", name)], **settings).values()
            return {key: entry["value"] for key, entry in found[name].items()}

        def alter(changes, **settings):
            (told,) = admin.alter_configs([ConfigResource("topic", name, changes)], **settings).values()
            return told[name]

        eventually(lambda: configs() == {"segment.bytes": "1048576"}, "segment.bytes")
        alter({"retention.ms": "86400000", "cleanup.policy": (AlterConfigOp.APPEND, "compact")})
        changed = {"retention.ms": "86400000", "cleanup.policy": "delete,compact"}
        eventually(lambda: changed.items() <= configs().items(), "changed configs")
        # The older call, which sets what it names, and resets everything else.
        alter({"retention.ms": "3600000"}, incremental=False)
        eventually(lambda: configs()["retention.ms"] == "3600000", "retention.ms")

        record = self.records.make(b"key", b"value", [])
        for partition in (0, 1):
            assert self.produce({}, name, partition, [record]) == [0]
        admin.create_partitions({name: 3})
        expect_error(InvalidPartitionsError, lambda: admin.create_partitions({name: 1}))
        eventually(lambda: len(admin.describe_topics([name])[0]["partitions"]) == 3, "a third partition")
        assert self.produce({}, name, 2, [record]) == [0]
        directories = str(admin.describe_log_dirs({name: [0, 1, 2]}))
        assert directories.count("'partition_index'") == 3, directories

        admin.delete_topics([name])
        eventually(lambda: name not in admin.list_topics(), "still listed")
        expect_error(UnknownTopicOrPartitionError, lambda: admin.delete_topics([name]))
        admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
        consumer = self.consumer()
        places = [TopicPartition(name, partition) for partition in range(3)]
        assert set(consumer.end_offsets(places).values()) == {0}, "a new topic has old records"
        consumer.close()
        eventually(lambda: configs() == {}, "a new topic has old configs")
        admin.delete_topics([name])
        admin.close()

    def produce(self, settings, topic, partition, records):
        """The reported offsets."""
        producer = KafkaProducer(**self.settings, **settings)
        sent = [
            producer.send(
                topic,
                key=record.key,
                value=record.value,
                headers=record.headers,
                partition=partition,
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        producer.flush(60)
        offsets = [future.get(WAIT_S).offset for future in sent]
        producer.close()
        return offsets

    def consumer(self, settings={}):
        return KafkaConsumer(**self.settings, group_id=None, **settings)

    def consume(self, partition, offset, count, settings={}):
        consumer = self.consumer(settings)
        place = TopicPartition("spread", partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        found = [as_record(message) for message in self.messages(consumer, count)]
        consumer.close()
        return found

    def messages(self, consumer, count):
        deadline = time.monotonic() + 60
        while count > 0:
            assert time.monotonic() < deadline, f"{count} messages are missing"
            for messages in consumer.poll(1000, max_records=count).values():
                count -= len(messages)
                yield from messages


def expect_error(kind, call):
    try:
        call()
    except kind:
        pass
    else:
        raise AssertionError(f"no {kind.__name__}")


def can_be_sent(record):
    """This client refuses a null key with a null value, and null in a header."""
    has_content = (record.key, record.value) != (None, None)
    return has_content and all(value is not None for _, value in record.headers)


def as_record(message):
    assert message.timestamp_type == 0, f"timestamp of kind {message.timestamp_type}"
    headers = list(message.headers)
    return message.offset, Record(message.key, message.value, headers, message.timestamp)


if __name__ == "__main__":
    main(sys.argv[1])
