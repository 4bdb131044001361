"""Producers and readers that tell a history on standard output, a line an event, with the monotonic clock's
nanoseconds:

    S NANOS APPEND TOPIC PARTITION RECORD MILLIS    a record is about to be sent, with this timestamp
    A NANOS APPEND OFFSET                           it was acknowledged
    L NANOS APPEND                                  nobody knows what has become of it
    P NANOS TOPIC PARTITION FROM OFFSET:RECORD:MILLIS:KEY...    a consumer that stood at FROM was given
                                                    these, with their keys in hexadecimal digits

A line `mark` on standard input is answered by M, behind everything before it; `end` ends the producers,
lets the consumers read to the end, and is answered by E. WRITE and READ name topics with their partitions:
NAME:COUNT,... . A value is its record's number, as eight bytes, again and again.
"""

import os
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

WAIT_S = 60
PRODUCERS = (
    {"enable.idempotence": True, "compression.type": "lz4"},
    {"enable.idempotence": True, "linger.ms": 5},
    # What is sent again by one that is not idempotent may be there twice.
    {"acks": "1", "message.send.max.retries": 0},
)
CONSUMERS = 2
# Numbers of appends and records that nobody else gives.
FIRST = 1 << 40


class History:
    def __init__(self, bootstrap):
        self.settings = {
            "bootstrap.servers": bootstrap,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
        }
        self.written = partitions("WRITE")
        self.to_read = partitions("READ")
        self.lock = threading.Lock()
        self.last = FIRST
        self.is_over = threading.Event()
        self.is_written = threading.Event()

    def run(self):
        producers = [threading.Thread(target=self.produce, args=[one]) for one in PRODUCERS]
        consumers = [threading.Thread(target=self.consume, args=[n]) for n in range(CONSUMERS)]
        for thread in producers + consumers:
            thread.start()
        for line in sys.stdin:
            if line == "end\n":
                break
            self.tell("M")
        self.is_over.set()
        for thread in producers:
            thread.join()
        self.is_written.set()
        for thread in consumers:
            thread.join()
        self.tell("E")

    def tell(self, *parts):
        with self.lock:
            print(*parts, flush=True)

    def next_number(self):
        with self.lock:
            self.last += 1
            return self.last

    def produce(self, settings):
        while not self.is_over.is_set():
            self.produce_until_fatal(settings)

    def produce_until_fatal(self, settings):
        dead = threading.Event()
        on_error = lambda error: dead.set() if error.fatal() else None
        producer = Producer({**self.settings, **settings, "error_cb": on_error})
        while not self.is_over.is_set() and not dead.is_set():
            number = self.next_number()
            topic, partition = self.written[number % len(self.written)]
            value = (number.to_bytes(8, "big") * 20)[: 8 + number % 150]
            millis = int(time.time() * 1000)
            self.tell("S", time.monotonic_ns(), number, topic, partition, number, millis)
            report = self.report(number)
            try:
                producer.produce(
                    topic, value=value, partition=partition, timestamp=millis, on_delivery=report
                )
            except (KafkaException, BufferError):
                self.tell("L", time.monotonic_ns(), number)
                time.sleep(0.05)
            producer.poll(0.003)
        producer.flush(WAIT_S)

    def report(self, number):
        def report(error, message):
            now = time.monotonic_ns()
            if error is None:
                self.tell("A", now, number, message.offset())
            else:
                self.tell("L", now, number)

        return report

    def consume(self, number):
        fixed = {"group.id": f"reader-{number}", "enable.auto.commit": False}
        settings = {"auto.offset.reset": "earliest", "fetch.wait.max.ms": 50, "check.crcs": True}
        consumer = Consumer({**self.settings, **fixed, **settings})
        positions = {place: 0 for place in self.to_read}
        consumer.assign([TopicPartition(*place, 0) for place in self.to_read])
        while not (self.is_written.is_set() and self.is_at_end(consumer, positions)):
            messages = [one for one in consumer.consume(200, 0.1) if one.error() is None]
            for place in self.to_read:
                here = [one for one in messages if (one.topic(), one.partition()) == place]
                if here:
                    seen = map(as_seen, here)
                    self.tell("P", time.monotonic_ns(), *place, positions[place], *seen)
                    positions[place] = here[-1].offset() + 1
        consumer.close()

    def is_at_end(self, consumer, positions):
        try:
            ends = [
                consumer.get_watermark_offsets(TopicPartition(*place), timeout=10)
                for place in self.to_read
            ]
        except KafkaException:
            return False
        return all(
            end is not None and positions[place] >= end[1] or end == (end[1], end[1])
            for place, end in zip(self.to_read, ends)
        )


def partitions(name):
    topics = (topic.split(":") for topic in os.environ[name].split(","))
    return [(topic, partition) for topic, count in topics for partition in range(int(count))]


def as_seen(message):
    key = (message.key() or b"").hex()
    return f"{message.offset()}:{record(message.value())}:{message.timestamp()[1]}:{key}"


def record(value):
    """Whose value this is, 0 for nobody's."""
    first = (value or b"")[:8]
    whole = len(first) == 8 and (first * (len(value) // 8 + 1))[: len(value)] == value
    return int.from_bytes(first, "big") if whole else 0


if __name__ == "__main__":
    History(sys.argv[1]).run()
