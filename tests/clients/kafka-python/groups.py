"""Reads in groups, eagerly and cooperatively: each record once while members come and go; on from where a
group stopped; what administrators see of a group, change and delete."""

import sys
import threading

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import MemberToRemove
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import (
    GroupIdNotFoundError,
    GroupSubscribedToTopicError,
    NoError,
    UnknownMemberIdError,
)
from kafka.structs import OffsetAndMetadata

from client import Client, as_record, can_be_sent
from records import eventually
from story import HEARTBEAT_MS, METADATA, PARTITIONS, PATIENCE_S, SESSION_MS, TOPIC, Story, is_shared


def main(bootstrap):
    groups = Groups(Client(bootstrap))
    groups.check("range", RangePartitionAssignor)
    groups.check("cooperative-sticky", CooperativeStickyAssignor)
    groups.check_static()
    groups.admin.close()
    print("kafka-python: groups read everything once")


class Member(threading.Thread, ConsumerRebalanceListener):
    """A consumer that polls in a thread of its own. It commits what each poll has given: a listener cannot
    wait for a commit."""

    def __init__(self, settings):
        super().__init__(daemon=True)
        self.owned, self.read = set(), []
        self.rebalances, self.failure = 0, None
        self.is_leaving = threading.Event()
        self.consumer = KafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            heartbeat_interval_ms=HEARTBEAT_MS,
            session_timeout_ms=SESSION_MS,
            fetch_max_wait_ms=100,
            **settings,
        )
        self.consumer.subscribe([TOPIC], listener=self)
        self.start()

    def run(self):
        try:
            while not self.is_leaving.is_set():
                positions = {}
                for place, messages in self.consumer.poll(100).items():
                    self.read += [(place.partition, as_record(message)) for message in messages]
                    positions[place] = OffsetAndMetadata(messages[-1].offset + 1, METADATA, -1)
                if positions:
                    self.consumer.commit(positions)
            self.consumer.close(autocommit=False)
        except Exception as failure:
            self.failure = failure

    def on_partitions_assigned(self, assigned):
        self.rebalances += 1
        self.owned |= {place.partition for place in assigned}

    def on_partitions_revoked(self, revoked):
        self.owned -= {place.partition for place in revoked}

    def leave(self):
        self.is_leaving.set()
        self.join(PATIENCE_S)
        assert not self.is_alive(), "closing hangs"
        assert self.failure is None, repr(self.failure)


class Groups:
    def __init__(self, client):
        self.settings = client.settings
        self.admin = KafkaAdminClient(**self.settings)
        topic = {"num_partitions": len(PARTITIONS), "replication_factor": 1}
        self.admin.create_topics({TOPIC: topic}, wait_for_metadata=True)
        produce = lambda partition, records: client.produce({}, TOPIC, partition, records)
        self.story = Story(produce, lambda: list(filter(can_be_sent, client.records.all_kinds())))

    def join(self, group, assignor, **settings):
        named = {"group_id": group, "partition_assignment_strategy": [assignor]}
        return Member({**self.settings, **named, **settings})

    def check(self, strategy, assignor):
        group = f"readers-{strategy}"
        join = lambda: self.join(group, assignor)
        self.story.check(strategy, join, lambda: self.check_shared(group, strategy))
        self.check_empty(group, assignor)

    def check_shared(self, group, strategy):
        """What administrators see of two members, and may not do to them."""
        eventually(lambda: self.state(group) == "Stable", f"{group} is stable")
        found = self.describe(group)
        assert (found["protocol_type"], found["protocol_data"]) == ("consumer", strategy), found
        shares = [shared(member) for member in found["members"]]
        assert len(shares) == 2 and is_shared(*shares), shares
        assert {member["client_host"] for member in found["members"]} == {"/127.0.0.1"}, found

        assert group in self.listed(states_filter=["Stable"], types_filter=["classic"])
        assert group not in self.listed(states_filter=["Empty"])
        assert group not in self.listed(types_filter=["consumer"])
        assert self.admin.delete_groups([group]) == {group: "NonEmptyGroupError"}
        place = TopicPartition(TOPIC, 0)
        told = self.admin.alter_group_offsets(group, {place: OffsetAndMetadata(1, "", -1)})
        assert told == {place: UnknownMemberIdError}, told
        told = self.admin.delete_group_offsets(group, [place])
        assert told == {place: GroupSubscribedToTopicError}, told

    def check_empty(self, group, assignor):
        """What a group leaves, and how it ends."""
        eventually(lambda: self.state(group) == "Empty", f"{group} is empty")
        assert group in self.listed(states_filter=["Empty"])
        assert not self.describe(group)["members"]
        committed = {partition: (end, METADATA) for partition, end in self.story.ends().items()}
        assert self.offsets(group) == committed, self.offsets(group)

        places = {partition: TopicPartition(TOPIC, partition) for partition in PARTITIONS}
        told = self.admin.alter_group_offsets(group, {places[1]: OffsetAndMetadata(3, "told", -1)})
        assert told == {places[1]: NoError}, told
        told = self.admin.delete_group_offsets(group, [places[2]])
        assert told == {places[2]: NoError}, told
        assert self.offsets(group) == {0: committed[0], 1: (3, "told")}, self.offsets(group)
        ends = self.story.ends()
        member = self.join(group, assignor)
        is_read = lambda: len(member.read) == ends[1] - 3 + ends[2]
        eventually(is_read, "not from 3 of one and all of another", PATIENCE_S)
        member.leave()

        assert self.admin.delete_groups([group]) == {group: "OK"}
        assert group not in self.listed()
        assert self.offsets(group) == {}, self.offsets(group)
        assert self.state(group) == "Dead", self.describe(group)
        assert self.admin.delete_groups([group]) == {group: "GroupIdNotFoundError"}
        try:
            self.admin.delete_group_offsets(group, [places[0]])
            raise AssertionError("offsets of no group were deleted")
        except GroupIdNotFoundError:
            pass

    def check_static(self):
        """A member with a name keeps its share while it is away, until it is put out."""
        group = "static"
        join = lambda name: self.join(group, RangePartitionAssignor, group_instance_id=name)
        one, other = join("one"), join("other")
        eventually(lambda: is_shared(one.owned, other.owned), "two with names share", PATIENCE_S)
        eventually(lambda: self.state(group) == "Stable", "it is stable")
        owned, rebalances = set(one.owned), other.rebalances
        one.leave()
        names = {member["group_instance_id"] for member in self.describe(group)["members"]}
        assert names == {"one", "other"}, names
        one = join("one")
        eventually(lambda: one.owned == owned, "its own share again", PATIENCE_S)
        assert other.rebalances == rebalances, "others were asked to join again"
        one.leave()
        told = self.admin.remove_group_members(group, [MemberToRemove(group_instance_id="one")])
        assert list(told.values()) == [NoError], told
        eventually(lambda: other.owned == PARTITIONS, "one owns all", PATIENCE_S)
        other.leave()
        self.admin.remove_group_members(group, [MemberToRemove(group_instance_id="other")])
        eventually(lambda: self.state(group) == "Empty", "nobody is left")
        assert self.admin.delete_groups([group]) == {group: "OK"}

    def listed(self, **filters):
        return {group["group_id"] for group in self.admin.list_groups(**filters)}

    def describe(self, group):
        return self.admin.describe_groups([group])[group]

    def state(self, group):
        return self.describe(group)["group_state"]

    def offsets(self, group):
        told = self.admin.list_group_offsets(group)[group]
        return {place.partition: (one.offset, one.metadata) for place, one in told.items()}


def shared(member):
    topics = member["member_assignment"]["assigned_partitions"]
    return {partition for topic in topics for partition in topic["partitions"]}


main(sys.argv[1])
