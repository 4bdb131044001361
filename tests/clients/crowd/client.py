"""Works with many clients at once for a while: producers of every kind, readers of all partitions, and
administrators who make topics, write to them and delete them. What was acknowledged is read where the
answer said, once, in order; a log whose start retention has moved is read from there."""

import os
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from records import eventually

SECONDS = float(os.environ.get("CROWD_SECONDS", "8"))
WAIT_S = 60
# Segments roll each second, and little of them is kept.
ROLLING = {"segment.ms": "1000", "retention.bytes": "300000"}
PRODUCERS = (
    {"enable.idempotence": True, "compression.type": "lz4"},
    {"enable.idempotence": True, "linger.ms": 5},
    {"acks": "1", "compression.type": "zstd"},
    {"acks": "all", "max.in.flight.requests.per.connection": 2},
)


class Crowd:
    def __init__(self, bootstrap):
        self.settings = {"bootstrap.servers": bootstrap}
        self.places = [("spread", partition) for partition in range(3)]
        self.places += [("rolling", partition) for partition in range(2)]
        self.acknowledged = {place: {} for place in self.places}
        self.lock = threading.Lock()
        self.failures = []
        self.deadline = time.monotonic() + SECONDS
        self.is_written = threading.Event()

    def run(self):
        admin = AdminClient(self.settings)
        admin.create_topics([NewTopic("rolling", 2, 1, config=ROLLING)])["rolling"].result(WAIT_S)
        producers = [self.start(self.produce, number) for number in range(len(PRODUCERS))]
        others = [self.start(self.administer, number) for number in range(2)]
        others += [self.start(self.read, number) for number in range(2)]
        for thread in producers:
            thread.join()
        self.is_written.set()
        for thread in others:
            thread.join()
        assert not self.failures, self.failures
        count = sum(map(len, self.acknowledged.values()))
        assert count > 1000, count
        print(f"crowd: {count} records acknowledged and read")

    def start(self, work, number):
        def guarded():
            try:
                work(number)
            except Exception as failure:
                self.failures.append(f"{work.__name__} {number}: {failure!r}")

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    def produce(self, number):
        """Values say who has written them, and how many before."""
        producer = Producer({**self.settings, **PRODUCERS[number]})

        def report(error, message):
            assert error is None, error
            place = (message.topic(), message.partition())
            with self.lock:
                known = self.acknowledged[place].setdefault(message.offset(), message.value())
            assert known == message.value(), f"{place} {message.offset()} was given twice"

        count = 0
        while time.monotonic() < self.deadline:
            topic, partition = self.places[(count + number) % len(self.places)]
            value = b"%d %d " % (number, count) + b"x" * (count * 37 % 900)
            producer.produce(topic, value=value, partition=partition, on_delivery=report)
            producer.poll(0)
            count += 1
            if count % 20 == 0:
                time.sleep(0.01)
        assert producer.flush(WAIT_S) == 0, "records have no report"

    def read(self, number):
        """Reads on until everything that was acknowledged has come."""
        fixed = {"group.id": f"reader-{number}", "enable.auto.commit": False}
        settings = {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "check.crcs": True}
        consumer = Consumer({**self.settings, **fixed, **settings})
        consumer.assign([TopicPartition(*place, 0) for place in self.places])
        found = {place: {} for place in self.places}
        patience = time.monotonic() + SECONDS + WAIT_S
        while not (self.is_written.is_set() and self.is_caught_up(found)):
            assert time.monotonic() < patience, "not everything could be read"
            message = consumer.poll(0.1)
            if message is None:
                continue
            assert message.error() is None, message.error()
            place = (message.topic(), message.partition())
            last = max(found[place], default=-1)
            is_next = message.offset() == last + 1 or place[0] == "rolling"
            assert message.offset() > last and is_next, f"{place}: {message.offset()} after {last}"
            found[place][message.offset()] = message.value()
        consumer.close()
        for place, records in found.items():
            for offset, value in self.acknowledged[place].items():
                if offset in records:
                    assert records[offset] == value, f"{place} {offset} is another record"
                else:
                    assert place[0] == "rolling", f"{place} {offset} was not read"

    def is_caught_up(self, found):
        last = lambda records: max(records, default=-1)
        return all(last(found[place]) >= last(self.acknowledged[place]) for place in self.places)

    def administer(self, number):
        """One name, again and again: each topic of it is new, and empty."""
        admin, name = AdminClient(self.settings), f"coming-{number}"
        while time.monotonic() < self.deadline:
            admin.create_topics([NewTopic(name, 2, 1)])[name].result(WAIT_S)
            offsets = []
            producer = Producer({**self.settings, "enable.idempotence": True})
            for _ in range(20):
                report = lambda error, message: offsets.append((error, message.offset()))
                producer.produce(name, value=b"short-lived", partition=1, on_delivery=report)
            assert producer.flush(WAIT_S) == 0, name
            assert offsets == [(None, offset) for offset in range(20)], offsets
            admin.delete_topics([name])[name].result(WAIT_S)
            # Kafka answers before its broker has heard of it, and takes more for the old topic meanwhile.
            if os.environ.get("KLAMM_DRIVER") == "kafka":
                is_gone = lambda: name not in admin.list_topics(timeout=WAIT_S).topics
                eventually(is_gone, "still listed")


if __name__ == "__main__":
    Crowd(sys.argv[1]).run()
