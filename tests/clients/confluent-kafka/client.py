"""Lists metadata and produces with every acks and codec; every delivery is reported once, in order."""

import sys

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient

COUNT = 2000


def main(bootstrap):
    common = {"bootstrap.servers": bootstrap, "enable.idempotence": False}
    check_listing(AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20))
    for acks in ("0", "1", "all"):
        produce({**common, "acks": acks}, "plain", 0)
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        for partition in range(3):
            produce({**common, "acks": "all", "compression.type": codec}, "spread", partition)
    check_unknown_partition(common)
    print("confluent-kafka: all deliveries reported")


def check_listing(metadata):
    partitions = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
    assert partitions.get("plain") == 1 and partitions.get("spread") == 3, partitions
    assert all(topic.error is None for topic in metadata.topics.values()), metadata.topics
    assert list(metadata.brokers) == [1], metadata.brokers


def produce(settings, topic, partition):
    delivered = []
    producer = Producer({**settings, "linger.ms": 5})

    def report(error, message):
        assert error is None, error
        delivered.append(message.offset())

    for number in range(COUNT):
        producer.produce(
            topic,
            key=f"key {number}",
            value=f"value {number} " * 10,
            headers=[("number", str(number))],
            partition=partition,
            on_delivery=report,
        )
        producer.poll(0)
    left = producer.flush(60)
    assert left == 0, f"{left} records have no report: {settings}"
    assert len(delivered) == COUNT, f"{len(delivered)} reports: {settings}"
    if settings["acks"] != "0":
        expected = list(range(delivered[0], delivered[0] + COUNT))
        assert delivered == expected, f"offsets have gaps: {settings}"


def check_unknown_partition(common):
    errors = []
    producer = Producer({**common, "message.timeout.ms": 5000})
    producer.produce("spread", value=b"x", partition=7, on_delivery=lambda e, _: errors.append(e))
    producer.flush(20)
    assert [error.code() for error in errors] == [KafkaError._UNKNOWN_PARTITION], errors


main(sys.argv[1])
