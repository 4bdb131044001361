// Creates, configures, grows and deletes a topic; writes to it with every codec and reads everything
// back; finds the next topic of its name empty; reads in groups.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"klamm/clients/records"
)

const topic = "administered"

var (
	ctx, _    = context.WithTimeout(context.Background(), 5*time.Minute)
	bootstrap = os.Getenv("BOOTSTRAP")
	// What it knows of topics is old after this long.
	transport = &kafka.Transport{MetadataTTL: 100 * time.Millisecond}
	client    = &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: time.Minute, Transport: transport}
)

func main() {
	segments := kafka.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: "1048576"}
	records.Must(create(2, segments))
	expectPartitions(2)
	expectError(create(2), kafka.TopicAlreadyExists)
	checkConfigs()
	records.Must(grow(3))
	expectError(grow(1), kafka.InvalidPartitionNumber)
	expectPartitions(3)

	checkEveryCodec()

	records.Must(remove())
	expectPartitions(0)
	expectError(remove(), kafka.UnknownTopicOrPartition)
	records.Must(create(3))
	expectPartitions(3)
	for partition := range 3 {
		records.Equal(end(partition), 0, "the end of a new topic")
	}
	expectConfig("segment.bytes", "1073741824")
	records.Must(remove())
	checkGroups()
	fmt.Println("kafka-go: all records read back")
}

func create(partitions int, settings ...kafka.ConfigEntry) error {
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}})
	records.Must(err)
	return answer.Errors[topic]
}

func remove() error {
	answer, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	records.Must(err)
	return answer.Errors[topic]
}

func grow(count int32) error {
	wanted := []kafka.TopicPartitionsConfig{{Name: topic, Count: count}}
	answer, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: wanted})
	records.Must(err)
	return answer.Errors[topic]
}

func expectPartitions(count int) {
	records.Eventually(func() bool {
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		records.Must(err)
		found := 0
		for _, listed := range metadata.Topics {
			if listed.Name == topic {
				found = len(listed.Partitions)
			}
		}
		return found == count
	}, fmt.Sprintf("%d partitions", count))
}

func checkConfigs() {
	expectConfig("segment.bytes", "1048576")
	records.Must(alter("retention.ms", "86400000", kafka.ConfigOperationSet))
	records.Must(alter("cleanup.policy", "compact", kafka.ConfigOperationAppend))
	expectConfig("retention.ms", "86400000")
	expectConfig("cleanup.policy", "delete,compact")
	records.Must(alter("cleanup.policy", "delete,compact", kafka.ConfigOperationDelete))
	expectConfig("cleanup.policy", "delete")
	expectError(alter("retention.ms", "soon", kafka.ConfigOperationSet), kafka.InvalidConfiguration)

	// The older call, which sets what it names, and resets everything else.
	answer, err := client.AlterConfigs(ctx, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.AlterConfigRequestConfig{{Name: "segment.bytes", Value: "1048576"}},
	}}})
	records.Must(err)
	for _, refused := range answer.Errors {
		records.Must(refused)
	}
	expectConfig("retention.ms", "604800000")
}

func alter(key, value string, operation kafka.ConfigOperation) error {
	change := kafka.IncrementalAlterConfigsRequestConfig{Name: key, Value: value, ConfigOperation: operation}
	answer, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{change},
		}},
	})
	records.Must(err)
	return answer.Resources[0].Error
}

func expectConfig(key, value string) {
	records.Eventually(func() bool {
		answer, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
			Resources: []kafka.DescribeConfigRequestResource{{
				ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key},
			}},
		})
		records.Must(err)
		records.Must(answer.Resources[0].Error)
		entries := answer.Resources[0].ConfigEntries
		return len(entries) == 1 && entries[0].ConfigName == key && entries[0].ConfigValue == value
	}, key+"="+value)
}

func checkEveryCodec() {
	all := allKinds()
	written := make([][]records.Record, 3)
	codecs := []kafka.Compression{0, kafka.Gzip, kafka.Snappy, kafka.Lz4, kafka.Zstd}
	for number, codec := range codecs {
		partition := number % 3
		produce(topic, partition, all, codec)
		written[partition] = append(written[partition], all...)
		here := written[partition]
		what := fmt.Sprintf("codec %v", codec)
		records.Expect(consume(partition, 0, len(here)), here, what)
		middle := len(here) - 500
		records.Expect(consume(partition, int64(middle), 500), here[middle:], what+", from the middle")
		records.Equal(end(partition), len(here), what+", the end")
	}
}

func allKinds() []records.Record {
	all := records.All()
	for n := range all {
		record := &all[n]
		record.Key, record.Value = nullIfEmpty(record.Key), nullIfEmpty(record.Value)
		for m := range record.Headers {
			record.Headers[m].Value = nullIfEmpty(record.Headers[m].Value)
		}
	}
	return all
}

// In batches that hold no more than a megabyte: this client makes of each request one batch.
func produce(topic string, partition int, all []records.Record, codec kafka.Compression) {
	size := 0
	var batch []kafka.Record
	send := func() {
		answer, err := client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(batch...), Compression: codec,
		})
		records.Must(err)
		records.Must(answer.Error)
		size, batch = 0, nil
	}
	for _, record := range all {
		if size += len(record.Value); size > 950_000 {
			send()
			size = len(record.Value)
		}
		var headers []kafka.Header
		for _, header := range record.Headers {
			headers = append(headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		batch = append(batch, kafka.Record{
			Time: time.UnixMilli(record.TimestampMs), Key: kafka.NewBytes(record.Key), Value: kafka.NewBytes(record.Value), Headers: headers,
		})
	}
	send()
}

func consume(partition int, offset int64, count int) []records.Record {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: topic, Partition: partition, MaxBytes: 10 << 20,
		// Closing waits for the fetch that is under way.
		IsolationLevel: kafka.ReadCommitted, MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	records.Must(reader.SetOffset(offset))
	var found []records.Record
	for range count {
		message, err := reader.ReadMessage(ctx)
		records.Must(err)
		records.Equal(message.Offset, offset+int64(len(found)), "offset")
		found = append(found, asRecord(message))
	}
	return found
}

func asRecord(message kafka.Message) records.Record {
	var headers []records.Header
	for _, header := range message.Headers {
		headers = append(headers, records.Header{Name: header.Key, Value: nullIfEmpty(header.Value)})
	}
	return records.Record{
		Key: nullIfEmpty(message.Key), Value: nullIfEmpty(message.Value), Headers: headers, TimestampMs: message.Time.UnixMilli(),
	}
}

// This client's reader makes no difference between null and empty.
func nullIfEmpty(part []byte) []byte {
	if len(part) == 0 {
		return nil
	}
	return part
}

func end(partition int) int {
	asked := map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(partition)}}
	var found kafka.PartitionOffsets
	records.Eventually(func() bool {
		answer, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: asked})
		records.Must(err)
		found = answer.Topics[topic][0]
		// Kafka lists a new topic before it leads it.
		return !errors.Is(found.Error, kafka.NotLeaderForPartition)
	}, "a leader")
	records.Must(found.Error)
	return int(found.LastOffset)
}

func expectError(found, wanted error) {
	if !errors.Is(found, wanted) {
		records.Fail("%v, not %v", found, wanted)
	}
}
