"""Reads in groups, eagerly and cooperatively: each record once while members come and go; on from where a
group stopped; static members that come back; what administrators see of a group, change and delete."""

import sys
import threading
import warnings

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions
from confluent_kafka import ConsumerGroupType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import NewTopic

from client import WAIT_S, Client, as_record, expect_error
from story import HEARTBEAT_MS, METADATA, PARTITIONS, PATIENCE_S, SESSION_MS, TOPIC, Story, is_shared
from records import eventually


def main(bootstrap):
    client = Client(bootstrap)
    groups = Groups(client)
    client.admin.create_topics([NewTopic(TOPIC, len(PARTITIONS), 1)])[TOPIC].result(WAIT_S)
    for strategy in ("range", "roundrobin", "cooperative-sticky"):
        groups.check(strategy)
    groups.check_static()
    groups.check_simple()
    print("confluent-kafka: groups read everything once")


class Member(threading.Thread):
    """A consumer that polls in a thread of its own."""

    def __init__(self, settings):
        super().__init__(daemon=True)
        self.owned, self.read, self.positions = set(), [], {}
        self.rebalances, self.failure = 0, None
        self.is_leaving = threading.Event()
        fixed = {
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "session.timeout.ms": SESSION_MS,
            "fetch.wait.max.ms": 100,
            "check.crcs": True,
            "log_level": 0,
        }
        self.consumer = Consumer({**fixed, **settings})
        callbacks = {"on_assign": self.take, "on_revoke": self.give, "on_lost": self.lose}
        self.consumer.subscribe([TOPIC], **callbacks)
        self.start()

    def run(self):
        try:
            while not self.is_leaving.is_set():
                message = self.consumer.poll(0.1)
                if message is None:
                    continue
                if message.error() is not None:
                    raise KafkaException(message.error())
                self.positions[message.partition()] = message.offset() + 1
                self.read.append((message.partition(), as_record(message)))
        except KafkaException as failure:
            self.failure = failure
        finally:
            self.consumer.close()

    def take(self, _, partitions):
        self.rebalances += 1
        self.owned |= {one.partition for one in partitions}

    def give(self, consumer, partitions):
        given = {one.partition for one in partitions}
        offsets = [
            TopicPartition(TOPIC, partition, self.positions.pop(partition), METADATA)
            for partition in given & set(self.positions)
        ]
        if offsets:
            consumer.commit(offsets=offsets, asynchronous=False)
        self.owned -= given

    def lose(self, _, partitions):
        self.owned -= {one.partition for one in partitions}

    def leave(self):
        self.is_leaving.set()
        self.join(PATIENCE_S)
        assert not self.is_alive(), "closing hangs"
        assert self.failure is None, self.failure


class Groups:
    def __init__(self, client):
        self.client, self.admin, self.settings = client, client.admin, client.settings
        produce = lambda partition, records: client.produce({}, TOPIC, partition, records)
        self.story = Story(produce, client.records.all_kinds)

    def join(self, group, strategy, **settings):
        named = {"group.id": group, "partition.assignment.strategy": strategy}
        return Member({**self.settings, **named, **settings})

    def check(self, strategy):
        group = f"readers-{strategy}"
        join = lambda: self.join(group, strategy)
        self.story.check(strategy, join, lambda: self.check_shared(group, strategy))
        self.check_empty(group)

    def check_shared(self, group, strategy):
        """What administrators see of two members, and may not do to them."""
        eventually(lambda: self.state(group) == ConsumerGroupState.STABLE, f"{group} is stable")
        found = self.describe(group)
        assert found.partition_assignor == strategy and not found.is_simple_consumer_group, strategy
        assert found.coordinator.id == 1, found.coordinator
        shares = [{one.partition for one in member.assignment.topic_partitions} for member in found.members]
        assert len(shares) == 2 and is_shared(*shares), shares
        assert all(member.client_id == "rdkafka" for member in found.members), found.members
        assert all(member.host == "/127.0.0.1" for member in found.members), found.members
        assert all(member.member_id.startswith("rdkafka-") for member in found.members), found.members

        (old,) = self.admin.list_groups(group, timeout=WAIT_S)
        assert (old.state, old.protocol_type, old.protocol) == ("Stable", "consumer", strategy), old
        assert len(old.members) == 2 and all(member.assignment for member in old.members), old.members

        assert group in self.listed(states={ConsumerGroupState.STABLE}, types={ConsumerGroupType.CLASSIC})
        assert group not in self.listed(states={ConsumerGroupState.EMPTY})
        assert group not in self.listed(types={ConsumerGroupType.CONSUMER})
        expect_error(self.delete(group), KafkaError.NON_EMPTY_GROUP)
        told = self.alter(group, {0: 1})
        assert told[0].error.code() == KafkaError.UNKNOWN_MEMBER_ID, told

    def check_empty(self, group):
        """What a group leaves, and how it ends."""
        eventually(lambda: self.state(group) == ConsumerGroupState.EMPTY, f"{group} is empty")
        assert group in self.listed(states={ConsumerGroupState.EMPTY})
        assert not self.describe(group).members
        committed = {partition: (end, METADATA) for partition, end in self.story.ends().items()}
        assert self.offsets(group) == committed, self.offsets(group)

        self.alter(group, {1: 3})
        committed[1] = (3, "")
        assert self.offsets(group) == committed, self.offsets(group)
        member = self.join(group, "range")
        eventually(lambda: len(member.read) == self.story.ends()[1] - 3, "not from 3", PATIENCE_S)
        assert member.read[0][1][0] == 3, member.read[0]
        member.leave()

        self.delete(group).result(WAIT_S)
        assert group not in self.listed()
        assert self.offsets(group) == {}, self.offsets(group)
        assert self.state(group) == ConsumerGroupState.DEAD, self.describe(group).state
        expect_error(self.delete(group), KafkaError.GROUP_ID_NOT_FOUND)

    def check_static(self):
        """A member with a name keeps its share while it is away, and is one at a time."""
        group = "static"
        join = lambda name: self.join(group, "range", **{"group.instance.id": name})
        one, other = join("one"), join("other")
        eventually(lambda: is_shared(one.owned, other.owned), "two with names share", PATIENCE_S)
        eventually(lambda: self.state(group) == ConsumerGroupState.STABLE, "it is stable")
        owned, rebalances = set(one.owned), other.rebalances
        one.leave()
        names = {member.group_instance_id for member in self.describe(group).members}
        assert names == {"one", "other"}, names
        one = join("one")
        eventually(lambda: one.owned == owned, "its own share again", PATIENCE_S)
        again = join("one")
        eventually(lambda: one.failure is not None, "the older of one name is put out", PATIENCE_S)
        codes = (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)
        assert one.failure.args[0].code() in codes, one.failure
        eventually(lambda: again.owned == owned, "the newer of one name has the share", PATIENCE_S)
        assert other.rebalances == rebalances, "others were asked to join again"
        again.leave()
        other.leave()
        # Nobody has left: their sessions end.
        expect_error(self.delete(group), KafkaError.NON_EMPTY_GROUP)
        is_empty = lambda: self.state(group) == ConsumerGroupState.EMPTY
        eventually(is_empty, "sessions end", PATIENCE_S)
        self.delete(group).result(WAIT_S)

    def check_simple(self):
        """Offsets without members."""
        group = "simple"
        consumer = Consumer({**self.settings, "group.id": group, "enable.auto.commit": False})
        places = [TopicPartition(TOPIC, 0, 7, "seven"), TopicPartition(TOPIC, 2, 0)]
        consumer.commit(offsets=places, asynchronous=False)
        asked = [TopicPartition(TOPIC, partition) for partition in sorted(PARTITIONS)]
        told = consumer.committed(asked, timeout=WAIT_S)
        assert [one.offset for one in told] == [7, -1001, 0], told
        consumer.close()
        assert self.offsets(group) == {0: (7, "seven"), 2: (0, "")}, self.offsets(group)
        assert group in self.listed(states={ConsumerGroupState.EMPTY})
        assert self.describe(group).is_simple_consumer_group, self.describe(group)
        self.delete(group).result(WAIT_S)

    def listed(self, **filters):
        told = self.admin.list_consumer_groups(**filters).result(WAIT_S)
        assert not told.errors, told.errors
        for one in told.valid:
            assert one.type == ConsumerGroupType.CLASSIC, (one.group_id, one.type)
        return {one.group_id for one in told.valid}

    def describe(self, group):
        return self.admin.describe_consumer_groups([group])[group].result(WAIT_S)

    def state(self, group):
        return self.describe(group).state

    def delete(self, group):
        return self.admin.delete_consumer_groups([group])[group]

    def offsets(self, group):
        asked = [ConsumerGroupTopicPartitions(group)]
        told = self.admin.list_consumer_group_offsets(asked)[group].result(WAIT_S)
        assert all(one.error is None for one in told.topic_partitions), told.topic_partitions
        return {one.partition: (one.offset, one.metadata or "") for one in told.topic_partitions}

    def alter(self, group, offsets):
        places = [TopicPartition(TOPIC, *place) for place in offsets.items()]
        asked = [ConsumerGroupTopicPartitions(group, places)]
        told = self.admin.alter_consumer_group_offsets(asked)[group].result(WAIT_S)
        return told.topic_partitions


# Old, but another request.
warnings.filterwarnings("ignore", "list_groups", DeprecationWarning)
main(sys.argv[1])
