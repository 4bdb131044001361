"""Prints what a fetch by partition shows of every topic, internal ones too, batch by batch as it lies:

    view.py HOST:PORT [TOPIC...]

once for read_uncommitted (0) and once for read_committed (1): where the partition begins and ends, the
aborted transactions, and each batch's header fields with a digest of all its bytes. Two brokers that
serve the same directory print the same.
"""

import hashlib
import socket
import struct
import sys
import time

METADATA, LIST_OFFSETS, FETCH = 3, 2, 1
EARLIEST = -2
LEADER_NOT_AVAILABLE, NOT_LEADER = 5, 6
MAX_BYTES = 8 * 1024 * 1024


class Answer:
    """The fields of an answer, one after another."""

    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, form):
        value = struct.unpack_from(">" + form, self.content, self.at)
        self.at += struct.calcsize(">" + form)
        return value[0] if len(value) == 1 else value

    def take_bytes(self, size):
        value = self.content[self.at:self.at + size]
        assert len(value) == size
        self.at += size
        return value

    def take_string(self):
        size = self.take("h")
        return None if size < 0 else self.take_bytes(size).decode()

    def take_array(self, take_element):
        return [take_element() for _ in range(self.take("i"))]


class Broker:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.number = 0

    def ask(self, api, version, body):
        self.number += 1
        head = struct.pack(">hhi", api, version, self.number) + string("view")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size, number = struct.unpack(">ii", self.read(8))
        assert number == self.number
        return Answer(self.read(size - 4))

    def read(self, size):
        parts = []
        while size > 0:
            part = self.socket.recv(min(size, 1 << 20))
            assert part, "the broker closed the connection"
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def partitions(self):
        """(topic, partition) of every topic."""
        answer = self.ask(METADATA, 1, struct.pack(">i", -1))
        answer.take_array(lambda: (answer.take("i"), answer.take_string(), answer.take("i"), answer.take_string()))
        answer.take("i")
        found = []

        def take_topic():
            error, name = answer.take("h"), answer.take_string()
            assert error == 0, f"{name}: {error}"
            answer.take("b")

            def take_partition():
                error, partition, leader = answer.take("hii")
                assert (error, leader) == (0, 1), f"{name}-{partition}: error {error}, leader {leader}"
                found.append((name, partition))
                answer.take_array(lambda: answer.take("i"))
                answer.take_array(lambda: answer.take("i"))

            answer.take_array(take_partition)

        answer.take_array(take_topic)
        return sorted(found)

    def start(self, topic, partition):
        """The log's start; waits for a broker that has yet to take the lead."""
        body = struct.pack(">ii", -1, 1) + string(topic) + struct.pack(">iiq", 1, partition, EARLIEST)
        error = None
        for _ in range(300):
            answer = self.ask(LIST_OFFSETS, 1, body)
            answer.take("i"), answer.take_string(), answer.take("i")
            _, error, _, offset = answer.take("ihqq")
            if error not in (LEADER_NOT_AVAILABLE, NOT_LEADER):
                break
            time.sleep(0.1)
        assert error == 0, f"{topic}-{partition}: error {error}"
        return offset

    def fetch(self, topic, partition, offset, isolation):
        """High watermark, last stable offset, aborted transactions, records."""
        body = struct.pack(">iiiib", -1, 0, 0, MAX_BYTES, isolation) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">iiqqi", 1, partition, offset, -1, MAX_BYTES)
        answer = self.ask(FETCH, 5, body)
        answer.take("ii")
        answer.take_string()
        answer.take("ii")
        error, high, stable, _ = answer.take("hqqq")
        assert error == 0, f"{topic}-{partition} at {offset}: error {error}"
        aborted = answer.take_array(lambda: answer.take("qq"))
        return high, stable, aborted, answer.take_bytes(max(answer.take("i"), 0))


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


def view(broker, topic, partition, isolation):
    name = f"{topic}-{partition} {'committed' if isolation else 'all'}"
    offset = broker.start(topic, partition)
    high, stable, _, _ = broker.fetch(topic, partition, offset, isolation)
    yield f"{name}: from {offset} to {high}, stable {stable}"
    end = stable if isolation else high
    all_aborted = set()
    while offset < end:
        _, _, aborted, records = broker.fetch(topic, partition, offset, isolation)
        all_aborted.update(aborted)
        batches = 0
        while len(records) >= 61:
            base, size = struct.unpack_from(">qi", records)
            if len(records) < 12 + size:
                break
            batch, records = records[:12 + size], records[12 + size:]
            epoch, _, _, attributes, delta = struct.unpack_from(">ibIhi", batch, 12)
            producer, producer_epoch, sequence = struct.unpack_from(">qhi", batch, 43)
            yield (f"{name}: {base}-{base + delta} epoch {epoch} attributes {attributes:#x} "
                   f"producer {producer} {producer_epoch} {sequence} {hashlib.sha1(batch).hexdigest()}")
            offset = base + delta + 1
            batches += 1
        assert batches, f"{name}: nothing at {offset} of {end}"
    for producer, first in sorted(all_aborted):
        yield f"{name}: aborted, producer {producer} from {first}"


def main():
    broker = Broker(sys.argv[1])
    for topic, partition in broker.partitions():
        if sys.argv[2:] and topic not in sys.argv[2:]:
            continue
        for isolation in (0, 1):
            for line in view(broker, topic, partition, isolation):
                print(line)


main()
