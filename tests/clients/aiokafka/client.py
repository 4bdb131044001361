"""Creates, configures, grows and deletes a topic; writes to it with every codec, with and without
idempotence, and reads everything back; finds the next topic of its name empty."""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, TopicAlreadyExistsError, for_code

from records import CODECS, Record, Records, expect

TOPIC = "administered"
WAIT_S = 60


async def main(bootstrap):
    settings = {"bootstrap_servers": bootstrap}
    admin = AIOKafkaAdminClient(**settings)
    await admin.start()
    await create(admin, 2, {"segment.bytes": "1048576"})
    try:
        await create(admin, 2, {})
        raise AssertionError("created twice")
    except TopicAlreadyExistsError:
        pass
    await check_configs(admin)

    await admin.create_partitions({TOPIC: NewPartitions(3)})
    try:
        await admin.create_partitions({TOPIC: NewPartitions(1)})
        raise AssertionError("a topic lost partitions")
    except InvalidPartitionsError:
        pass
    await eventually(partitions(admin, 3), "a third partition")

    await check_every_codec(settings)
    await check_waiting_reader(settings)

    await delete(admin)
    await eventually(partitions(admin, 0), "still listed")
    await create(admin, 3, {})
    places = [TopicPartition(TOPIC, partition) for partition in range(3)]
    async with AIOKafkaConsumer(**settings) as consumer:
        ends = await consumer.end_offsets(places)
        assert set(ends.values()) == {0}, f"a new topic has old records: {ends}"
    await eventually(configured(admin, {"segment.bytes": "1073741824"}), "the default again")
    await delete(admin)
    await admin.close()
    print("aiokafka: all records read back")


async def create(admin, count, settings):
    topic = NewTopic(TOPIC, count, 1, topic_configs=settings)
    answer = await admin.create_topics([topic])
    raise_for(answer.topic_errors)
    await eventually(partitions(admin, count), "a new topic")


async def eventually(holds, what):
    """Kafka answers when a change is durable, and the broker shows it a moment later."""
    deadline = time.monotonic() + 10
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def partitions(admin, count):
    async def has():
        listed = [topic for topic in await admin.describe_topics() if topic["topic"] == TOPIC]
        return sum(len(topic["partitions"]) for topic in listed) == count

    return has


def configured(admin, wanted):
    async def has():
        return wanted.items() <= (await configs(admin)).items()

    return has


async def delete(admin):
    answer = await admin.delete_topics([TOPIC])
    raise_for(answer.topic_error_codes)


def raise_for(errors):
    for _, code, *message in errors:
        if code:
            raise for_code(code)(message)


async def check_configs(admin):
    await eventually(configured(admin, {"segment.bytes": "1048576"}), "segment.bytes")
    # The older call, which sets what it names, and resets everything else.
    changed = {"retention.ms": "86400000", "segment.bytes": "2097152"}
    (answer,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, changed)])
    assert [code for code, *_ in answer.resources] == [0], answer
    await eventually(configured(admin, changed), "changed configs")
    # The broker's own.
    assert (await configs(admin, ConfigResourceType.BROKER, "1"))["node.id"] == "1"


async def configs(admin, kind=ConfigResourceType.TOPIC, name=TOPIC):
    (answer,) = await admin.describe_configs([ConfigResource(kind, name)])
    ((code, message, _, _, entries),) = answer.resources
    assert code == 0, message
    return {entry[0]: entry[1] for entry in entries}


async def check_every_codec(settings):
    records = Records()
    written = {0: [], 1: [], 2: []}
    for number, codec in enumerate(CODECS):
        for idempotence in (False, True):
            partition = number % 3
            kinds = [kind for kind in records.all_kinds() if can_be_sent(kind)]
            compression = None if codec == "none" else codec
            how = {"compression_type": compression, "enable_idempotence": idempotence, "acks": "all"}
            offsets = await produce({**settings, **how, "linger_ms": 20}, partition, kinds)
            here = written[partition]
            assert offsets == list(range(len(here), len(here) + len(kinds))), codec
            here.extend(zip(offsets, kinds))
            what = f"{codec}, idempotence {idempotence}"
            for isolation in ("read_uncommitted", "read_committed"):
                found = await consume(settings, partition, 0, len(here), isolation)
                expect(found, here, f"{what}, {isolation}")
            middle = len(here) - 500
            found = await consume(settings, partition, middle, 500, "read_uncommitted")
            expect(found, here[middle:], f"{what}, from {middle}")
            await check_offsets(settings, TopicPartition(TOPIC, partition), here)


async def check_offsets(settings, place, here):
    async with AIOKafkaConsumer(**settings) as consumer:
        assert await consumer.beginning_offsets([place]) == {place: 0}
        assert await consumer.end_offsets([place]) == {place: len(here)}
        offset, record = here[-600]
        found = await consumer.offsets_for_times({place: record.timestamp_ms})
        assert (found[place].offset, found[place].timestamp) == (offset, record.timestamp_ms), found


async def check_waiting_reader(settings):
    place = TopicPartition(TOPIC, 1)
    record = Records().make(b"late", b"comer", [])
    async with AIOKafkaConsumer(**settings, fetch_max_wait_ms=20_000) as consumer:
        consumer.assign([place])
        await consumer.seek_to_end(place)
        waiting = asyncio.create_task(consumer.getone())
        await asyncio.sleep(1)
        assert not waiting.done()
        await produce(settings, 1, [record])
        found = await asyncio.wait_for(waiting, 15)
        assert as_record(found)[1] == record


async def produce(settings, partition, records, topic=TOPIC):
    """The reported offsets."""
    async with AIOKafkaProducer(**settings) as producer:
        sent = []
        for record in records:
            place = {"partition": partition, "timestamp_ms": record.timestamp_ms}
            content = {"key": record.key, "value": record.value, "headers": record.headers}
            sent.append(await producer.send(topic, **content, **place))
        done = await asyncio.wait_for(asyncio.gather(*sent), WAIT_S)
    return [metadata.offset for metadata in done]


async def consume(settings, partition, offset, count, isolation):
    place = TopicPartition(TOPIC, partition)
    async with AIOKafkaConsumer(**settings, isolation_level=isolation) as consumer:
        consumer.assign([place])
        consumer.seek(place, offset)
        found = []
        async with asyncio.timeout(WAIT_S):
            while len(found) < count:
                found.append(as_record(await consumer.getone()))
    return found


def can_be_sent(record):
    """This client refuses a null key with a null value, and null in a header."""
    has_content = (record.key, record.value) != (None, None)
    return has_content and all(value is not None for _, value in record.headers)


def as_record(message):
    assert message.timestamp_type == 0, f"timestamp of kind {message.timestamp_type}"
    return message.offset, Record(message.key, message.value, list(message.headers), message.timestamp)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
