"""Reads in a group: each record once while members come and go; on from where a group stopped; what
administrators see of a group. This client deletes no groups."""

import asyncio
import logging
import sys
import threading

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from client import as_record, can_be_sent, produce
from records import Records, eventually
from story import HEARTBEAT_MS, METADATA, PARTITIONS, PATIENCE_S, SESSION_MS, TOPIC, Story, is_shared

ASSIGNORS = (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor)

# Everything of the client runs here; the story waits for it.
loop = asyncio.new_event_loop()


def wait_for(work):
    return asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE_S)


def main(bootstrap):
    threading.Thread(target=loop.run_forever, daemon=True).start()
    groups = Groups({"bootstrap_servers": bootstrap})
    for assignor in ASSIGNORS:
        groups.check(assignor)
    groups.check_static()
    wait_for(groups.admin.close())
    print("aiokafka: groups read everything once")


class Member(ConsumerRebalanceListener):
    def __init__(self, settings):
        self.owned, self.read, self.positions, self.rebalances = set(), [], {}, 0
        self.settings, self.consumer = settings, None
        self.task = wait_for(self.start())

    async def start(self):
        return asyncio.create_task(self.run())

    async def run(self):
        self.consumer = AIOKafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            session_timeout_ms=SESSION_MS,
            fetch_max_wait_ms=100,
            **self.settings,
        )
        self.consumer.subscribe([TOPIC], listener=self)
        await self.consumer.start()
        try:
            while True:
                message = await self.consumer.getone()
                place = TopicPartition(TOPIC, message.partition)
                self.positions[place] = (message.offset + 1, METADATA)
                self.read.append((message.partition, as_record(message)))
        except asyncio.CancelledError:
            await self.commit(list(self.positions))
            await self.consumer.stop()

    async def commit(self, places):
        offsets = {place: self.positions.pop(place) for place in places if place in self.positions}
        if offsets:
            await self.consumer.commit(offsets)

    async def on_partitions_assigned(self, assigned):
        self.rebalances += 1
        self.owned = {place.partition for place in assigned}

    async def on_partitions_revoked(self, revoked):
        await self.commit(revoked)
        self.owned = set()

    def leave(self):
        async def ended():
            self.task.cancel()
            await self.task

        wait_for(ended())


class Groups:
    def __init__(self, settings):
        self.settings = settings
        self.admin = wait_for(self.start())
        self.records = Records()
        write = lambda partition, records: wait_for(produce(settings, partition, records, TOPIC))
        self.story = Story(write, lambda: list(filter(can_be_sent, self.records.all_kinds())))

    async def start(self):
        admin = AIOKafkaAdminClient(**self.settings)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC, len(PARTITIONS), 1)])
        return admin

    def join(self, group, assignor, **settings):
        named = {"group_id": group, "partition_assignment_strategy": (assignor,)}
        return Member({**self.settings, **named, **settings})

    def check(self, assignor):
        group = f"readers-{assignor.name}"
        join = lambda: self.join(group, assignor)
        self.story.check(assignor.name, join, lambda: self.check_shared(group, assignor.name))
        eventually(lambda: self.describe(group)[2] == "Empty", f"{group} is empty")
        assert self.describe(group)[5] == [], self.describe(group)
        committed = {partition: (end, METADATA) for partition, end in self.story.ends().items()}
        assert self.offsets(group) == committed, self.offsets(group)

    def check_shared(self, group, strategy):
        eventually(lambda: self.describe(group)[2] == "Stable", f"{group} is stable")
        error, name, _, kind, protocol, members, *_ = self.describe(group)
        assert (error, name, kind, protocol) == (0, group, "consumer", strategy), (error, kind, protocol)
        shares = [shared(assignment) for *_, assignment in members]
        assert len(shares) == 2 and is_shared(*shares), shares
        assert {host for _, _, host, *_ in members} == {"/127.0.0.1"}, members
        assert (group, "consumer") in wait_for(self.admin.list_consumer_groups())
        assert wait_for(self.admin.find_coordinator(group)) == 1

    def check_static(self):
        """A member with a name keeps its share while it is away."""
        group = "static"
        join = lambda name: self.join(group, RangePartitionAssignor, group_instance_id=name)
        one, other = join("one"), join("other")
        eventually(lambda: is_shared(one.owned, other.owned), "two with names share", PATIENCE_S)
        eventually(lambda: self.describe(group)[2] == "Stable", "it is stable")
        owned, rebalances = one.owned, other.rebalances
        one.leave()
        assert len(self.describe(group)[5]) == 2, self.describe(group)
        one = join("one")
        eventually(lambda: one.owned == owned, "its own share again", PATIENCE_S)
        assert other.rebalances == rebalances, "others were asked to join again"
        one.leave()
        other.leave()
        eventually(lambda: self.describe(group)[2] == "Empty", "sessions end", PATIENCE_S)

    def describe(self, group):
        (answer,) = wait_for(self.admin.describe_consumer_groups([group]))
        return answer.groups[0]

    def offsets(self, group):
        told = wait_for(self.admin.list_consumer_group_offsets(group))
        return {place.partition: (one.offset, one.metadata) for place, one in told.items()}


def shared(assignment):
    topics = ConsumerProtocolMemberAssignment.decode(assignment).assignment
    return {partition for _, partitions in topics for partition in partitions}


# It warns of every rebalance.
logging.disable()
main(sys.argv[1])
