"""What a group is asked to do, for clients in Python. A member has `owned`, the partitions that are its
own now; `read`, what it was given, as (partition, (offset, Record)); and `leave`. It commits what it has
read before a partition is taken from it."""

from records import eventually, expect

TOPIC = "grouped"
PARTITIONS = {0, 1, 2}
# What a member commits beside an offset.
METADATA = "as far as this, с приветом"
# Rebalances wait for heartbeats.
HEARTBEAT_MS = 500
SESSION_MS = 6000
PATIENCE_S = 30


class Story:
    """`produce` writes records to a partition of TOPIC and gives their offsets; `kinds` makes records."""

    def __init__(self, produce, kinds):
        self.produce, self.kinds = produce, kinds
        self.written = {partition: [] for partition in PARTITIONS}

    def write(self):
        records = self.kinds()
        for partition in PARTITIONS:
            here = records[partition :: len(PARTITIONS)]
            self.written[partition].extend(zip(self.produce(partition, here), here))

    def ends(self):
        return {partition: len(records) for partition, records in self.written.items()}

    def check(self, what, join, while_shared):
        """The members of one new group read everything, each record once, while they come and go."""
        members = []

        def joined():
            members.append(join())
            return members[-1]

        def read_on():
            self.write()
            count = sum(self.ends().values())
            is_read = lambda: count <= sum(len(member.read) for member in members)
            eventually(is_read, f"{what}: not everything is read", PATIENCE_S)

        first = joined()
        eventually(lambda: first.owned == PARTITIONS, f"{what}: one owns all", PATIENCE_S)
        read_on()
        second = joined()
        eventually(lambda: is_shared(first.owned, second.owned), f"{what}: two share", PATIENCE_S)
        read_on()
        while_shared()
        second.leave()
        eventually(lambda: first.owned == PARTITIONS, f"{what}: one owns all again", PATIENCE_S)
        read_on()
        first.leave()
        # Commits outlive the members.
        third = joined()
        read_on()
        third.leave()
        for partition, wanted in self.written.items():
            found = sorted(
                (one for member in members for owner, one in member.read if owner == partition),
                key=lambda one: one[0],
            )
            expect(found, wanted, f"{what}: partition {partition}")
        assert second.read and third.read, f"{what}: a member was given nothing"


def is_shared(one, other):
    """Each has a part, and both have all."""
    return bool(one and other) and not one & other and one | other == PARTITIONS
