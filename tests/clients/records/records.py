"""The records that the clients write and expect to read back, byte for byte. As a command it prints them
for clients in other languages, one JSON object a line: key and value in base64 or null, headers as pairs
of a name and such a value, and timestamp_ms."""

import base64
import json
import os
import random
import struct
import time
from typing import NamedTuple, Optional

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

# Between the timestamps of two records.
STEP_MS = 10


class Record(NamedTuple):
    key: Optional[bytes]
    value: Optional[bytes]
    headers: list
    timestamp_ms: int


class Records:
    """Makes records whose timestamps rise from an hour ago."""

    def __init__(self):
        self.next_ms = int(time.time() * 1000) - 3_600_000
        self.random = random.Random(5)

    def all_kinds(self):
        """Null and empty, 1 byte and 900 kB, with headers of every kind; then many small ones."""
        noise = self.random.randbytes(900_000)
        text = b"the same line again\n" * 45_000
        kinds = [
            (None, None, []),
            (b"", b"", []),
            (b"k", None, []),
            (None, b"v", []),
            (b"1", b"1", []),
            (bytes(range(256)), bytes(range(255, -1, -1)), []),
            (b"noise", noise, []),
            (b"text", text, [("size", b"900000")]),
            (None, b"null and empty headers", [("null", None), ("empty", b"")]),
            (None, b"one name twice", [("same", b"1"), ("other", b"\x00\xff"), ("same", b"2")]),
            ("ключ".encode(), "значение".encode(), [("имя", "заголовок".encode())]),
            (None, b"many headers", [(f"header {n}", bytes([n])) for n in range(100)]),
        ]
        small = [(b"%d" % n, b"value %d " % n * 10, [("n", b"%d" % n)]) for n in range(1000)]
        return [self.make(*kind) for kind in kinds + small]

    def make(self, key, value, headers):
        self.next_ms += STEP_MS
        return Record(key, value, headers, self.next_ms)


def expect(found, wanted, what):
    """Both are lists of (offset, Record)."""
    assert len(found) == len(wanted), f"{what}: {len(found)} records of {len(wanted)}"
    for (offset, record), (wanted_offset, wanted_record) in zip(found, wanted):
        assert offset == wanted_offset, f"{what}: offset {offset}, not {wanted_offset}"
        for name, part, wanted_part in zip(Record._fields, record, wanted_record):
            assert part == wanted_part, f"{what}: {name} of offset {offset} is not what was written"


def eventually(holds, what, patience_s=10):
    """Kafka answers when a change is durable, and the broker shows it a moment later."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def codec_at(topic, partition, offset):
    """The name of the codec of the batch that holds this offset, as it lies in the broker's directory."""
    log = os.path.join(os.environ["LOGS"], f"{topic}-{partition}")
    for name in sorted(os.listdir(log)):
        if not name.endswith(".log"):
            continue
        with open(os.path.join(log, name), "rb") as segment:
            while head := segment.read(61):
                base, size = struct.unpack_from(">qi", head)
                assert size > 0, f"{name} holds what is no batch"
                attributes, last_delta = struct.unpack_from(">hi", head, 21)
                if base <= offset <= base + last_delta:
                    return CODECS[attributes & 7]
                segment.seek(12 + size - len(head), os.SEEK_CUR)
    raise AssertionError(f"{topic}-{partition} has no batch with {offset}")


def as_json(record):
    def encode(part):
        return None if part is None else base64.b64encode(part).decode()

    return json.dumps(
        {
            "key": encode(record.key),
            "value": encode(record.value),
            "headers": [[name, encode(value)] for name, value in record.headers],
            "timestamp_ms": record.timestamp_ms,
        }
    )


if __name__ == "__main__":
    for record in Records().all_kinds():
        print(as_json(record))
