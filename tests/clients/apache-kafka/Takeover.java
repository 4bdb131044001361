// What a directory that moves between Apache Kafka and Klamm holds, by Kafka's own clients:
//   Takeover BOOTSTRAP fill              Kafka writes all that it can
//   Takeover BOOTSTRAP change ROUND      what either broker can: create, delete, grow, alter, write
//   Takeover BOOTSTRAP topics            prints topics with their ids, partitions and configs
//   Takeover BOOTSTRAP broker            prints the broker's configs that were set while it ran
//   Takeover BOOTSTRAP groups            prints groups, and what they have committed
//   Takeover BOOTSTRAP coordinators      prints transactions, quotas and users (Kafka alone has them)
//   Takeover BOOTSTRAP abandon           leaves a transaction alone that times out after a minute
//   Takeover BOOTSTRAP given-up          waits until a broker has aborted it
//   Takeover BOOTSTRAP settle            ends what is open, goes on where the group stopped

import java.time.Duration;
import java.util.*;
import java.util.stream.*;

import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.serialization.*;

public class Takeover {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

    static String bootstrap;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        switch (args[1]) {
            case "fill" -> fill();
            case "change" -> change(Integer.parseInt(args[2]));
            case "topics" -> describeTopics();
            case "broker" -> describeBroker();
            case "groups" -> describeGroups();
            case "coordinators" -> describeCoordinators();
            case "abandon" -> abandon();
            case "given-up" -> waitUntilGivenUp();
            case "settle" -> settle();
            default -> throw new IllegalArgumentException(args[1]);
        }
        System.out.flush();
        // No producer is closed: what is open stays open.
        Runtime.getRuntime().halt(0);
    }

    static void fill() throws Exception {
        create("codecs", 3, Map.of("segment.bytes", "1048576", "index.interval.bytes", "1000"));
        create("compacted", 1, Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.9"));
        create("stamped", 1, Map.of("message.timestamp.type", "LogAppendTime", "compression.type", "lz4"));
        create("transactions", 2, Map.of("segment.bytes", "1048576"));
        create("empty", 2, Map.of());
        create("abandoned", 1, Map.of());
        writeCodecs("codecs", 0);
        writeCodecs("stamped", 0);
        writeKeys("compacted", 500);
        changeAt(0);
        setConfigs();
        commitOffsets();
        transact();
    }

    // Of `changed.N` each round makes one, grows the last one and deletes the one before that.
    static void change(int round) throws Exception {
        changeAt(round);
        writeCodecs("codecs", round);
        writeCodecs("stamped", round);
        writeKeys("compacted", 100);
        alter(topic("codecs"), Map.of("retention.ms", String.valueOf(1_000_000_000L + round)));
        alter(topic("empty"), round % 2 == 0
            ? Map.of("max.message.bytes", "200000") : Collections.singletonMap("max.message.bytes", null));
        alter(broker("1"), Map.of("message.max.bytes", String.valueOf(2_000_000 + round)));
        changeGroups(round);
    }

    // A member reads on; an administrator commits for groups without members, of both protocols, and deletes
    // offsets; of `made.N` each round makes one and deletes the one before.
    static void changeGroups(int round) throws Exception {
        try (var consumer = consumer("readers.classic")) {
            consumer.subscribe(List.of("codecs", "stamped"));
            readSome(consumer);
        }
        var told = new OffsetAndMetadata(17 + round, Optional.of(0), "round " + round + ", с приветом");
        for (var group : List.of("assigned", "readers.consumer", "made." + round)) {
            admin.alterConsumerGroupOffsets(group, Map.of(new TopicPartition("codecs", 1), told)).all().get();
        }
        var compacted = new TopicPartition("compacted", 0);
        if (round % 2 == 0) {
            admin.alterConsumerGroupOffsets("assigned", Map.of(compacted, new OffsetAndMetadata(round))).all().get();
        } else {
            admin.deleteConsumerGroupOffsets("assigned", Set.of(compacted)).all().get();
        }
        if (round > 1) admin.deleteConsumerGroups(List.of("made." + (round - 1))).all().get();
    }

    static void changeAt(int round) throws Exception {
        create("changed." + round, 2, Map.of("retention.bytes", "100000000", "segment.bytes", "1048576"));
        create("replaced", 1, Map.of());
        writeCodecs("changed." + round, round);
        writeKeys("replaced", 10 + round);
        delete("replaced");
        if (round % 2 == 0) {
            create("replaced", 2, Map.of("retention.ms", "7000000"));
            writeKeys("replaced", 3);
            delete("replaced");
        }
        if (round > 0) {
            admin.createPartitions(Map.of("changed." + (round - 1), NewPartitions.increaseTo(4))).all().get();
            writeCodecs("changed." + (round - 1), round);
        }
        if (round > 1) delete("changed." + (round - 2));
    }

    static void setConfigs() throws Exception {
        alter(topic("empty"), Map.of("retention.ms", "123456789", "cleanup.policy", "compact,delete"));
        alter(broker("1"), Map.of("log.cleaner.threads", "2", "message.max.bytes", "2000000"));
        alter(broker(""), Map.of("log.retention.ms", "500000000", "num.io.threads", "6"));
        var quota = new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("client-id", "somebody")),
            List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9)));
        admin.alterClientQuotas(List.of(quota)).all().get();
        var user = new UserScramCredentialUpsertion("someone",
            new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret");
        admin.alterUserScramCredentials(List.of(user)).all().get();
    }

    // One group of each protocol, and one that assigns for itself.
    static void commitOffsets() throws Exception {
        for (var protocol : List.of("classic", "consumer")) {
            try (var consumer = consumer("readers." + protocol, "group.protocol", protocol)) {
                consumer.subscribe(List.of("codecs", "stamped"));
                readSome(consumer);
            }
        }
        try (var consumer = consumer("assigned")) {
            consumer.assign(List.of(new TopicPartition("codecs", 1), new TopicPartition("compacted", 0)));
            consumer.commitSync(Map.of(
                new TopicPartition("codecs", 1), new OffsetAndMetadata(17, Optional.of(0), "told"),
                new TopicPartition("compacted", 0), new OffsetAndMetadata(499)));
        }
    }

    static void readSome(Consumer<byte[], byte[]> consumer) {
        var read = 0;
        for (var tries = 0; read < 600 && tries < 600; tries++) {
            read += consumer.poll(Duration.ofMillis(100)).count();
        }
        if (read < 600) throw new IllegalStateException("read only " + read);
        consumer.commitSync();
    }

    // Committed with a group's offsets; aborted, over several segments; one that stays open; and what is
    // committed, aborted or plain behind it.
    static void transact() throws Exception {
        var partition = new TopicPartition("transactions", 0);
        var committed = transactional("committed", 60_000);
        committed.beginTransaction();
        send(committed, "transactions", 0, "committed", 300);
        send(committed, "transactions", 1, "committed", 300);
        committed.sendOffsetsToTransaction(
            Map.of(partition, new OffsetAndMetadata(33)), new ConsumerGroupMetadata("of a transaction"));
        committed.commitTransaction();
        var aborted = transactional("aborted", 60_000);
        aborted.beginTransaction();
        send(aborted, "transactions", 0, "aborted", 3000);
        aborted.flush();
        aborted.abortTransaction();
        committed.beginTransaction();
        send(committed, "transactions", 0, "between", 300);
        committed.commitTransaction();
        var open = transactional("open", 900_000);
        open.beginTransaction();
        send(open, "transactions", 0, "open", 100);
        open.flush();
        aborted.beginTransaction();
        send(aborted, "transactions", 0, "aborted behind", 100);
        aborted.flush();
        aborted.abortTransaction();
        committed.beginTransaction();
        send(committed, "transactions", 0, "committed behind", 100);
        committed.commitTransaction();
        writeKeys("transactions", 50);
    }

    static void abandon() throws Exception {
        var producer = transactional("abandoned", 60_000);
        producer.beginTransaction();
        send(producer, "abandoned", 0, "abandoned", 10);
        producer.flush();
    }

    static void waitUntilGivenUp() throws Exception {
        var partition = new TopicPartition("abandoned", 0);
        for (var tries = 0; ; tries++) {
            var state = admin.describeTransactions(List.of("abandoned")).description("abandoned").get().state();
            if (state == TransactionState.COMPLETE_ABORT) break;
            if (tries > 1200) throw new IllegalStateException("abandoned: " + state);
            Thread.sleep(100);
        }
        var read = new HashMap<IsolationLevel, Long>();
        for (var level : IsolationLevel.values()) {
            var end = admin.listOffsets(Map.of(partition, OffsetSpec.latest()), new ListOffsetsOptions(level));
            read.put(level, end.partitionResult(partition).get().offset());
        }
        if (new HashSet<>(read.values()).size() != 1) throw new IllegalStateException("still open: " + read);
    }

    // The transaction that is open is ended by its owner's next begin; groups go on where they stopped.
    static void settle() throws Exception {
        var open = transactional("open", 900_000);
        open.beginTransaction();
        send(open, "transactions", 0, "open no more", 10);
        open.commitTransaction();
        for (var group : List.of("readers.classic", "readers.consumer")) {
            try (var consumer = consumer(group, "group.protocol", group.substring(8))) {
                consumer.subscribe(List.of("codecs", "stamped"));
                var first = new TreeMap<String, Long>();
                var committed = offsets(group);
                for (var tries = 0; first.isEmpty() && tries < 600; tries++) {
                    for (var record : consumer.poll(Duration.ofMillis(100))) {
                        first.putIfAbsent(record.topic() + "-" + record.partition(), record.offset());
                    }
                }
                if (first.isEmpty()) throw new IllegalStateException(group + " gets nothing");
                first.forEach((at, offset) -> {
                    var stopped = committed.getOrDefault(at, 0L);
                    if (!offset.equals(stopped)) {
                        throw new IllegalStateException(group + " goes on at " + offset + " of " + at + ", not " + stopped);
                    }
                });
            }
        }
    }

    static Map<String, Long> offsets(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
            .collect(Collectors.toMap(entry -> entry.getKey().toString(), entry -> entry.getValue().offset()));
    }

    static void describeTopics() throws Exception {
        var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
        var lines = new TreeSet<String>();
        for (var topic : admin.describeTopics(names).allTopicNames().get().values()) {
            lines.add(topic.name() + " id " + topic.topicId() + " internal " + topic.isInternal());
            for (var partition : topic.partitions()) {
                lines.add(topic.name() + " partition " + partition.partition() + " replicas " + partition.replicas()
                    + " isr " + partition.isr() + " leader " + partition.leader());
            }
        }
        for (var entry : describe(names.stream().map(Takeover::topic).toList()).entrySet()) {
            for (var config : entry.getValue().entries()) lines.add(entry.getKey().name() + " config " + line(config));
        }
        lines.forEach(System.out::println);
    }

    static void describeBroker() throws Exception {
        var lines = new TreeSet<String>();
        for (var resource : List.of(broker("1"), broker(""))) {
            for (var config : describe(List.of(resource)).get(resource).entries()) {
                if (config.source().name().startsWith("DYNAMIC")) {
                    lines.add("broker '" + resource.name() + "' config " + line(config));
                }
            }
        }
        lines.forEach(System.out::println);
    }

    static Map<ConfigResource, Config> describe(List<ConfigResource> resources) throws Exception {
        return admin.describeConfigs(resources, new DescribeConfigsOptions().includeSynonyms(true)).all().get();
    }

    static String line(ConfigEntry config) {
        var synonyms = config.synonyms().stream()
            .map(synonym -> synonym.name() + "=" + synonym.value() + " by " + synonym.source()).toList();
        return config.name() + "=" + config.value() + " by " + config.source() + " " + config.type() + " sensitive "
            + config.isSensitive() + " read-only " + config.isReadOnly() + " " + synonyms;
    }

    static void describeGroups() throws Exception {
        var lines = new TreeSet<String>();
        for (var group : admin.listGroups().all().get()) {
            lines.add("group " + group.groupId() + " " + group.type() + " '" + group.protocol() + "' " + group.groupState());
            var offsets = admin.listConsumerGroupOffsets(group.groupId()).partitionsToOffsetAndMetadata().get();
            offsets.forEach((partition, offset) -> lines.add("group " + group.groupId() + " " + partition + " " + offset));
        }
        lines.forEach(System.out::println);
    }

    static void describeCoordinators() throws Exception {
        var lines = new TreeSet<String>();
        for (var transaction : admin.listTransactions().all().get()) {
            lines.add("transaction " + transaction.transactionalId() + " of producer " + transaction.producerId());
        }
        admin.describeClientQuotas(org.apache.kafka.common.quota.ClientQuotaFilter.all()).entities().get()
            .forEach((entity, quotas) -> lines.add("quota " + entity + " " + quotas));
        admin.describeUserScramCredentials().all().get().forEach((user, what) -> lines.add("user " + what));
        lines.forEach(System.out::println);
    }

    // Several batches of each codec in each partition, with keys, nulls and headers.
    static void writeCodecs(String topic, int seed) throws Exception {
        var partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
        var random = new Random(seed);
        for (var codec : CODECS) {
            try (var producer = producer("compression.type", codec)) {
                for (var number = 0; number < 200 * partitions; number++) {
                    var value = new byte[random.nextInt(3000)];
                    random.nextBytes(value);
                    var text = (codec + " " + number + " ").repeat(random.nextInt(100)).getBytes();
                    var record = new ProducerRecord<>(topic, number % partitions,
                        number % 7 == 0 ? null : ("key " + number).getBytes(),
                        number % 11 == 0 ? null : number % 2 == 0 ? value : text);
                    if (number % 5 == 0) record.headers().add("number", ("" + number).getBytes()).add("null", null);
                    producer.send(record);
                }
                producer.flush();
            }
        }
    }

    static void writeKeys(String topic, int count) {
        try (var producer = producer()) {
            for (var number = 0; number < count; number++) {
                producer.send(new ProducerRecord<>(topic, 0, ("key " + number % 20).getBytes(), ("value " + number).getBytes()));
            }
            producer.flush();
        }
    }

    static void send(Producer<byte[], byte[]> producer, String topic, int partition, String what, int count) {
        for (var number = 0; number < count; number++) {
            var value = (what + " " + number + " ").repeat(50).getBytes();
            producer.send(new ProducerRecord<>(topic, partition, what.getBytes(), value));
        }
    }

    static Producer<byte[], byte[]> producer(String... settings) {
        var config = config(settings);
        config.putIfAbsent("linger.ms", "5");
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static Producer<byte[], byte[]> transactional(String id, int timeoutMs) {
        var producer = producer("transactional.id", id, "transaction.timeout.ms", "" + timeoutMs);
        producer.initTransactions();
        return producer;
    }

    static Consumer<byte[], byte[]> consumer(String group, String... settings) {
        var config = config(settings);
        config.putAll(Map.of("group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", "false"));
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static Map<String, Object> config(String... settings) {
        var config = new HashMap<String, Object>();
        config.put("bootstrap.servers", bootstrap);
        for (var at = 0; at < settings.length; at += 2) config.put(settings[at], settings[at + 1]);
        return config;
    }

    static ConfigResource topic(String name) { return new ConfigResource(ConfigResource.Type.TOPIC, name); }

    static ConfigResource broker(String name) { return new ConfigResource(ConfigResource.Type.BROKER, name); }

    static void create(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        while (!admin.listTopics().names().get().contains(topic)) Thread.sleep(10);
    }

    static void delete(String topic) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        while (admin.listTopics().names().get().contains(topic)) Thread.sleep(10);
    }

    // A null takes the key away.
    static void alter(ConfigResource resource, Map<String, String> values) throws Exception {
        var operations = values.entrySet().stream().map(entry -> new AlterConfigOp(
            new ConfigEntry(entry.getKey(), entry.getValue()),
            entry.getValue() == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET)).toList();
        admin.incrementalAlterConfigs(Map.of(resource, operations)).all().get();
    }
}
