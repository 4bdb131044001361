"""Ten members of one group who join, leave, crash and come back while producers go on writing:

    groups.py HOST:PORT                  for CROWD_SECONDS
    groups.py HOST:PORT member NAME      one of them, a process of its own

Whoever runs it may kill the broker and start it again meanwhile. Then it judges: every record that was
acknowledged was read; one was read again only if it lay behind the last commit of its partition; no
committed offset went back; no partition had two owners in one generation; rebalances end in their time.

A member tells on standard output, a line an event, with the monotonic clock's nanoseconds:

    G NANOS GENERATION PARTITION...             what it owns
    A NANOS PARTITION...                        these are its own from now on
    R NANOS PARTITION...                        and no longer
    M NANOS PARTITION OFFSET:NUMBER...          it was given these
    C NANOS PARTITION:OFFSET...                 these commits were acknowledged
    E NANOS CODE                                a commit was refused, or nobody knows
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter, defaultdict

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from records import eventually

SECONDS = float(os.environ.get("CROWD_SECONDS", "12"))
SEED = int(os.environ.get("CROWD_SEED", "0")) or random.SystemRandom().getrandbits(32)
STRATEGY = os.environ.get("CROWD_STRATEGY", "cooperative-sticky")
TOPIC, GROUP, PARTITIONS = "crowded", "crowd", 12
MEMBERS = [f"member-{number}" for number in range(10)]
# These keep their place while they are away.
STATIC = set(MEMBERS[:3])
SESSION_MS, REBALANCE_MS, WAIT_S = 6000, 6000, 60
# What a broker that starts takes, and what a machine with two cores is late by.
SLACK_S = 15


class Member:
    """In its own process."""

    def __init__(self, bootstrap, name):
        named = {"group.instance.id": name} if name in STATIC else {}
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap,
            "client.id": name,
            "group.id": GROUP,
            "partition.assignment.strategy": STRATEGY,
            "session.timeout.ms": SESSION_MS,
            "max.poll.interval.ms": REBALANCE_MS,
            "heartbeat.interval.ms": 500,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
            **named,
        })
        self.owned, self.positions = set(), {}

    def run(self):
        callbacks = {"on_assign": self.take, "on_revoke": self.give, "on_lost": self.lose}
        self.consumer.subscribe([TOPIC], **callbacks)
        is_leaving = threading.Event()
        threading.Thread(target=lambda: (sys.stdin.read(), is_leaving.set()), daemon=True).start()
        next_commit = 0
        while not is_leaving.is_set():
            read = defaultdict(list)
            for message in self.consumer.consume(200, 0.1):
                if message.error() is None:
                    read[message.partition()].append(message)
                elif message.error().code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID):
                    # Its broker has died before it wrote down who has the name now.
                    is_leaving.set()
            for partition, messages in read.items():
                tell("M", partition, *(f"{one.offset()}:{number(one.value())}" for one in messages))
                self.positions[partition] = messages[-1].offset() + 1
            if time.monotonic() > next_commit:
                self.commit(self.owned)
                next_commit = time.monotonic() + 0.3
        self.consumer.close()

    def commit(self, partitions):
        places = {one: self.positions.pop(one) for one in partitions & set(self.positions)}
        if not places:
            return
        try:
            offsets = [TopicPartition(TOPIC, *place, str(place[1])) for place in places.items()]
            for told in self.consumer.commit(offsets=offsets, asynchronous=False):
                if told.error is not None:
                    raise KafkaException(told.error)
            tell("C", *(f"{partition}:{offset}" for partition, offset in places.items()))
        except KafkaException as refused:
            tell("E", refused.args[0].name())

    def take(self, _, partitions):
        """At the end of each rebalance. Between the answers to its two requests the generation is one that counts
        for nothing yet: behind a crash of the broker the next one has its number."""
        taken = {one.partition for one in partitions}
        self.owned |= taken
        tell("A", *taken)
        agreed = generation(self.consumer)
        if agreed >= 0:
            tell("G", agreed, *sorted(self.owned))

    def give(self, _, partitions):
        given = {one.partition for one in partitions}
        self.commit(given)
        self.lose(_, partitions)

    def lose(self, _, partitions):
        lost = {one.partition for one in partitions}
        self.owned -= lost
        for partition in lost:
            self.positions.pop(partition, None)
        tell("R", *lost)


def tell(kind, *parts):
    print(kind, time.monotonic_ns(), *parts, flush=True)


def generation(consumer):
    """As it lies in librdkafka's own form of a group's metadata: "CGMDv2:", then four bytes."""
    told = consumer.consumer_group_metadata()
    assert told[:7] == b"CGMDv2:", told
    return int.from_bytes(told[7:11], sys.byteorder, signed=True)


def number(value):
    return int(value.split(b" ", 1)[0])


class Life:
    """One process of a member, from its start to its end, and what it told."""

    def __init__(self, bootstrap, name):
        command = [sys.executable, __file__, bootstrap, "member", name]
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            # A crash may leave half a line.
            if line.endswith("\n"):
                kind, nanos, *parts = line.split()
                self.events.append((kind, int(nanos), parts))

    def is_alive(self):
        return self.process.poll() is None

    def leave(self):
        self.process.stdin.close()

    def crash(self):
        self.process.send_signal(signal.SIGKILL)

    def wait(self):
        status = self.process.wait(WAIT_S)
        self.reader.join()
        assert status in (0, -signal.SIGKILL), f"{self.name} ended with {status}"


class Crowd:
    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.settings = {"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0}
        self.random = random.Random(SEED)
        self.lives, self.alive = [], {}
        self.acknowledged, self.lock, self.failures = {}, threading.Lock(), []
        self.deadline = time.monotonic() + SECONDS
        self.is_over = threading.Event()
        # (asked at, {partition: offset}) and (asked at, state).
        self.seen_offsets, self.seen_states = [], []
        self.deeds = Counter()

    def run(self):
        print(f"CROWD_SEED={SEED} {STRATEGY}", flush=True)
        admin = AdminClient(self.settings)
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(WAIT_S)
        producers = [self.start(self.produce, n) for n in range(2)]
        observers = [self.start(self.watch_offsets), self.start(self.watch_state)]
        self.churn()
        for thread in producers:
            thread.join()
        self.settle()
        for life in self.alive.values():
            life.leave()
        for life in self.lives:
            life.wait()
        self.is_over.set()
        for thread in observers:
            thread.join()
        assert not self.failures, self.failures
        report = Judge(self).judge()
        self.check_end(admin)
        print(f"crowd of groups: {report}", flush=True)

    def start(self, work, *arguments):
        def guarded():
            try:
                work(*arguments)
            except Exception as failure:
                self.failures.append(f"{work.__name__}: {failure!r}")

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    def produce(self, own):
        producer = Producer({**self.settings, "enable.idempotence": True, "linger.ms": 5})

        def report(error, message):
            assert error is None, error
            with self.lock:
                known = self.acknowledged.setdefault((message.partition(), message.offset()), number(message.value()))
            assert known == number(message.value()), f"{message.offset()} was given twice"

        count = 0
        while time.monotonic() < self.deadline:
            value = b"%d %s" % (count * 2 + own, b"x" * (count * 37 % 300))
            producer.produce(TOPIC, value=value, partition=count % PARTITIONS, on_delivery=report)
            producer.poll(0.005)
            count += 1
        assert producer.flush(WAIT_S * 2) == 0, "records have no report"

    def churn(self):
        """Somebody comes, leaves or crashes, every second or so: whoever crashes keeps the others waiting."""
        for name in MEMBERS[:5]:
            self.join(name)
        while time.monotonic() < self.deadline:
            time.sleep(self.random.uniform(0.3, 1.8))
            self.forget_fenced()
            name = self.random.choice(MEMBERS)
            life = self.alive.get(name)
            if life is None:
                self.join(name)
            elif len(self.alive) > 3:
                deed = self.random.choice(["leave", "leave", "crash"])
                self.deeds[deed] += 1
                getattr(life, deed)()
                del self.alive[name]
                if deed == "crash" or name in STATIC:
                    # Two of one name would put each other out.
                    life.process.wait(WAIT_S)

    def forget_fenced(self):
        for name, life in list(self.alive.items()):
            if not life.is_alive():
                self.deeds["fenced"] += 1
                del self.alive[name]

    def join(self, name):
        self.deeds["join"] += 1
        self.alive[name] = Life(self.bootstrap, name)
        self.lives.append(self.alive[name])

    def settle(self):
        """All who are there become one group, and read to the end."""
        self.forget_fenced()
        for name in MEMBERS:
            if name not in self.alive:
                self.join(name)
        eventually(self.is_read, "not everything was read", WAIT_S * 2)
        # Whoever has crashed last is missed by then, and nobody comes any more.
        is_calm = lambda: {state for _, state in self.seen_states[-20:]} == {"Stable"}
        within_s = (SESSION_MS + REBALANCE_MS) / 1000 + SLACK_S
        eventually(is_calm, f"not stable within {within_s} s of the last record", within_s)

    def is_read(self):
        read = {
            (int(parts[0]), int(one.split(":")[0]))
            for life in self.lives
            for kind, _, parts in list(life.events)
            if kind == "M"
            for one in parts[1:]
        }
        with self.lock:
            return self.acknowledged.keys() <= read

    def watch_offsets(self):
        """Never through a member."""
        consumer = Consumer({**self.settings, "group.id": GROUP, "enable.auto.commit": False})
        asked = [TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)]
        while not self.is_over.is_set():
            begun = time.monotonic_ns()
            try:
                told = consumer.committed(asked, timeout=5)
                assert all(one.error is None for one in told), told
                offsets = {one.partition: one.offset for one in told if one.offset >= 0}
                self.seen_offsets.append((begun, offsets))
            except KafkaException:
                self.deeds["offsets not told"] += 1
            time.sleep(0.2)
        consumer.close()

    def watch_state(self):
        admin = AdminClient(self.settings)
        while not self.is_over.is_set():
            begun = time.monotonic()
            try:
                told = admin.list_groups(GROUP, timeout=5)
                self.seen_states.append((begun, told[0].state if told else "none"))
            except KafkaException:
                self.seen_states.append((begun, "unknown"))
            time.sleep(0.1)

    def check_end(self, admin):
        is_empty = lambda: admin.list_groups(GROUP, timeout=WAIT_S)[0].state == "Empty"
        eventually(is_empty, "sessions of those with names end", SESSION_MS / 1000 + SLACK_S)
        admin.delete_consumer_groups([GROUP])[GROUP].result(WAIT_S)


class Judge:
    def __init__(self, crowd):
        self.crowd = crowd
        events = [(nanos, kind, parts, life) for life in crowd.lives for kind, nanos, parts in life.events]
        self.events = sorted(events, key=lambda event: event[0])

    def judge(self):
        self.check_owners()
        repeated = self.check_reading()
        self.check_offsets()
        kinds = Counter(kind for _, kind, _, _ in self.events)
        refused = Counter(parts[0] for _, kind, parts, _ in self.events if kind == "E")
        generations = {int(parts[0]) for _, kind, parts, _ in self.events if kind == "G"}
        return ", ".join([
            f"{len(self.crowd.acknowledged)} records read",
            f"{repeated} of them again",
            f"{kinds['C']} commits",
            f"{sum(refused.values())} refused {dict(refused)}",
            f"{len(generations)} generations",
            f"{dict(self.crowd.deeds)}",
            f"longest rebalance {self.longest_rebalance():.1f} s",
        ])

    def check_owners(self):
        owners = {}
        for _, kind, parts, life in self.events:
            if kind != "G":
                continue
            # Who has a name is the same member after a crash.
            who = life.name if life.name in STATIC else f"{life.name} ({life.process.pid})"
            for partition in parts[1:]:
                owner = owners.setdefault((parts[0], partition), who)
                assert owner == who, f"partition {partition} has two owners in generation {parts[0]}: {owner} and {who}"

    def check_reading(self):
        """A member starts at or behind what was committed before, and reads without gaps; all is read."""
        committed, starts, times = {}, {}, Counter()
        for _, kind, parts, life in self.events:
            if kind == "C":
                for place in parts:
                    partition, offset = map(int, place.split(":"))
                    committed[partition] = max(offset, committed.get(partition, 0))
            elif kind == "A":
                for partition in map(int, parts):
                    starts[id(life), partition] = (committed.get(partition, 0), None)
            elif kind == "M":
                partition = int(parts[0])
                for one in parts[1:]:
                    offset, value = map(int, one.split(":"))
                    floor, last = starts[id(life), partition]
                    assert offset >= floor, f"{life.name} read {offset} of {partition}, which was committed to {floor}"
                    is_next = last is None or offset == last + 1
                    assert is_next, f"{life.name} read {offset} of {partition} after {last}"
                    starts[id(life), partition] = (floor, offset)
                    times[partition, offset] += 1
                    wanted = self.crowd.acknowledged.get((partition, offset), value)
                    assert value == wanted, f"{offset} of {partition} is {value}, not {wanted}"
        lost = [place for place in self.crowd.acknowledged if place not in times]
        assert not lost, f"{len(lost)} records were not read: {sorted(lost)[:10]}"
        return sum(count - 1 for count in times.values())

    def check_offsets(self):
        """What is seen never goes back, and is not less than what was acknowledged before the question."""
        commits = [(nanos, parts) for nanos, kind, parts, _ in self.events if kind == "C"]
        floor, at = {}, 0
        for begun, offsets in self.crowd.seen_offsets:
            while at < len(commits) and commits[at][0] < begun:
                for place in commits[at][1]:
                    partition, offset = map(int, place.split(":"))
                    floor[partition] = max(offset, floor.get(partition, 0))
                at += 1
            for partition, least in floor.items():
                found = offsets.get(partition, -1)
                assert found >= least, f"the commit of {partition} went back from {least} to {found}"
            floor.update(offsets)

    def longest_rebalance(self):
        """While the group said that it waits for its members to join."""
        longest, begun = 0, None
        for at, state in self.crowd.seen_states:
            if state == "PreparingRebalance":
                begun = at if begun is None else begun
                longest = max(longest, at - begun)
            else:
                begun = None
        limit = REBALANCE_MS / 1000 + SLACK_S
        assert longest <= limit, f"a rebalance took {longest:.1f} s"
        return longest


if __name__ == "__main__":
    # Old, but one call tells a group's state.
    warnings.filterwarnings("ignore", "list_groups", DeprecationWarning)
    if sys.argv[2:3] == ["member"]:
        Member(sys.argv[1], sys.argv[3]).run()
    else:
        Crowd(sys.argv[1]).run()
