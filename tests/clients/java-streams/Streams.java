import java.io.File;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Counts words by Kafka Streams: a repartition topic, which Streams empties behind itself, a compacted changelog, and
 * stores that are restored from it. Instances come and go while words are written; nobody crashes, so each word is
 * counted once.
 */
public class Streams {
    static final String APPLICATION = "streams-count";
    static final String LINES = "streams-lines";
    static final String COUNTS = "streams-counts";
    static final int WORDS = 200;
    static final int WAIT_S = 60;

    final String bootstrap;
    final Admin admin;
    final Map<String, Long> written = new HashMap<>();
    long lines;

    Streams(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) throws Exception {
        new Streams(arguments[0]).run(new File(arguments[1]));
    }

    void run(File scratch) throws Exception {
        NewTopic counts = new NewTopic(COUNTS, 1, (short) 1).configs(Map.of("cleanup.policy", "compact"));
        admin.createTopics(List.of(new NewTopic(LINES, 3, (short) 1), counts)).all().get();
        write(3000);
        KafkaStreams first = start(new File(scratch, "first"));
        is(written, read(), "by one instance");

        KafkaStreams second = start(new File(scratch, "second"));
        write(3000);
        is(written, read(), "by two instances");

        // What it kept is gone with it: whoever takes over restores it from the changelog.
        first.close(Duration.ofSeconds(WAIT_S));
        first.cleanUp();
        write(3000);
        is(written, read(), "by the other one alone");

        first = start(new File(scratch, "first"));
        write(3000);
        is(written, read(), "with a new one");
        isEmptied();
        first.close(Duration.ofSeconds(WAIT_S));
        second.close(Duration.ofSeconds(WAIT_S));
        isCommitted();
        admin.close();
    }

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(LINES, Consumed.with(Serdes.String(), Serdes.String()))
                .flatMapValues(line -> List.of(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()))
                .count(Materialized.as("counts"))
                .toStream()
                .to(COUNTS, Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    /** Up to the end of its first rebalance. */
    KafkaStreams start(File directory) throws Exception {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, directory.getPath());
        settings.put(StreamsConfig.DSL_STORE_SUPPLIERS_CLASS_CONFIG,
                "org.apache.kafka.streams.state.BuiltInDslStoreSuppliers$InMemoryDslStoreSuppliers");
        settings.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 1);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 200);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        KafkaStreams streams = new KafkaStreams(topology(), settings);
        CountDownLatch runs = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) runs.countDown();
        });
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            System.exit(1);
            return null;
        });
        streams.start();
        if (!runs.await(WAIT_S, TimeUnit.SECONDS)) fail("an instance does not come to run");
        return streams;
    }

    void write(int count) {
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int line = 0; line < count; line++, lines++) {
                String one = "word" + lines % WORDS;
                String other = "word" + lines * 7 % WORDS;
                producer.send(new ProducerRecord<>(LINES, null, one + " " + other));
                written.merge(one, 1L, Long::sum);
                written.merge(other, 1L, Long::sum);
            }
        }
    }

    /** The last count of each word, read until all are as they must be, or the time is up. */
    Map<String, Long> read() {
        Map<String, Long> counts = new HashMap<>();
        Map<String, Object> settings = Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer())) {
            Set<TopicPartition> partition = Set.of(new TopicPartition(COUNTS, 0));
            consumer.assign(partition);
            consumer.seekToBeginning(partition);
            while (!counts.equals(written) && System.nanoTime() < deadline) {
                ConsumerRecords<String, Long> records = consumer.poll(Duration.ofMillis(200));
                records.forEach(record -> counts.put(record.key(), record.value()));
            }
        }
        return counts;
    }

    /** Streams deletes what it has taken from there. */
    void isEmptied() throws Exception {
        String topic = APPLICATION + "-words-repartition";
        KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", bootstrap), new StringDeserializer(), new LongDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(one -> new TopicPartition(topic, one.partition())).toList();
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S);
        while (true) {
            Map<TopicPartition, Long> begins = consumer.beginningOffsets(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            long all = ends.values().stream().mapToLong(Long::longValue).sum();
            if (all != 2 * lines) fail(all + " words were repartitioned of " + 2 * lines);
            if (begins.equals(ends)) break;
            if (System.nanoTime() > deadline) fail("what was counted is still there: " + begins + " of " + ends);
            Thread.sleep(100);
        }
        consumer.close();
    }

    void isCommitted() throws Exception {
        Map<TopicPartition, OffsetAndMetadata> commits =
                admin.listConsumerGroupOffsets(APPLICATION).partitionsToOffsetAndMetadata().get();
        long committed = commits.entrySet().stream()
                .filter(one -> one.getKey().topic().equals(LINES)).mapToLong(one -> one.getValue().offset()).sum();
        if (committed != lines) fail(committed + " lines are committed of " + lines);
    }

    static void is(Map<String, Long> wanted, Map<String, Long> found, String when) {
        if (!wanted.equals(found)) fail(when + ": " + found + ", not " + wanted);
        System.out.println("Kafka Streams: every word is counted once " + when);
    }

    static void fail(String why) {
        System.err.println(why);
        System.exit(1);
    }
}
