// Creates, configures, grows and deletes a topic; writes to it with every codec, with and without
// idempotence, and reads everything back; finds the next topic of its name empty; reads in groups.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"klamm/clients/records"
)

const topic = "administered"

var ctx, _ = context.WithTimeout(context.Background(), 5*time.Minute)

func main() {
	client := connect()
	defer client.Close()
	admin := kadm.NewClient(client)

	create(admin, 2, map[string]*string{"segment.bytes": kadm.StringPtr("1048576")})
	_, err := admin.CreateTopic(ctx, 2, 1, nil, topic)
	expectError(err, kerr.TopicAlreadyExists)
	checkConfigs(admin)
	grown, err := admin.UpdatePartitions(ctx, 3, topic)
	records.Must(errors.Join(err, grown.Error()))
	shrunk, err := admin.UpdatePartitions(ctx, 1, topic)
	records.Must(err)
	expectError(shrunk.Error(), kerr.InvalidPartitions)
	expectPartitions(admin, 3)

	checkEveryCodec(admin)

	directories, err := admin.DescribeAllLogDirs(ctx, nil)
	records.Must(err)
	sizes := map[int32]bool{}
	directories.Each(func(directory kadm.DescribedLogDir) {
		directory.Topics.Each(func(partition kadm.DescribedLogDirPartition) {
			if partition.Topic == topic && partition.Size > 0 {
				sizes[partition.Partition] = true
			}
		})
	})
	records.Equal(len(sizes), 3, "partitions in log directories")

	_, err = admin.DeleteTopic(ctx, topic)
	records.Must(err)
	expectPartitions(admin, 0)
	_, err = admin.DeleteTopic(ctx, topic)
	expectError(err, kerr.UnknownTopicOrPartition)
	create(admin, 3, nil)
	for _, end := range ends(admin) {
		records.Equal(end, 0, "the end of a new topic")
	}
	expectConfig(admin, "segment.bytes", "1073741824")
	_, err = admin.DeleteTopic(ctx, topic)
	records.Must(err)
	checkGroups(admin)
	fmt.Println("franz-go: all records read back")
}

func connect(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Getenv("BOOTSTRAP")))...)
	records.Must(err)
	return client
}

func create(admin *kadm.Client, partitions int32, settings map[string]*string) {
	_, err := admin.CreateTopic(ctx, partitions, 1, settings, topic)
	records.Must(err)
	expectPartitions(admin, int(partitions))
}

func expectPartitions(admin *kadm.Client, count int) {
	records.Eventually(func() bool {
		listed, err := admin.ListTopics(ctx)
		records.Must(err)
		return len(listed[topic].Partitions) == count
	}, fmt.Sprintf("%d partitions", count))
}

func checkConfigs(admin *kadm.Client) {
	expectConfig(admin, "segment.bytes", "1048576")
	alter := func(changes ...kadm.AlterConfig) error {
		answers, err := admin.AlterTopicConfigs(ctx, changes, topic)
		records.Must(err)
		return answers[0].Err
	}
	records.Must(alter(
		kadm.AlterConfig{Name: "retention.ms", Value: kadm.StringPtr("86400000")},
		kadm.AlterConfig{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")},
	))
	expectConfig(admin, "retention.ms", "86400000")
	expectConfig(admin, "cleanup.policy", "delete,compact")
	records.Must(alter(kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "cleanup.policy"}))
	expectConfig(admin, "cleanup.policy", "delete")
	expectError(alter(kadm.AlterConfig{Name: "no.such.key", Value: kadm.StringPtr("1")}), kerr.InvalidConfig)
	// The older call, which sets what it names, and resets everything else.
	state := []kadm.AlterConfig{{Name: "segment.bytes", Value: kadm.StringPtr("1048576")}}
	answers, err := admin.AlterTopicConfigsState(ctx, state, topic)
	records.Must(errors.Join(err, answers[0].Err))
	expectConfig(admin, "retention.ms", "604800000")
}

func expectConfig(admin *kadm.Client, key, value string) {
	records.Eventually(func() bool { return configs(admin)[key] == value }, key+"="+value)
}

func configs(admin *kadm.Client) map[string]string {
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	records.Must(errors.Join(err, described[0].Err))
	found := map[string]string{}
	for _, config := range described[0].Configs {
		found[config.Key] = config.MaybeValue()
	}
	return found
}

func checkEveryCodec(admin *kadm.Client) {
	all := records.All()
	written := make([][]records.Record, 3)
	codecs := []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	}
	for number, codec := range codecs {
		for _, idempotence := range []bool{false, true} {
			partition := number % 3
			produce(topic, int32(partition), all, codec, idempotence)
			written[partition] = append(written[partition], all...)
			what := fmt.Sprintf("codec %d, idempotence %v", number, idempotence)
			here := written[partition]
			records.Expect(consume(int32(partition), 0, len(here)), here, what)
			middle := len(here) - 500
			records.Expect(consume(int32(partition), int64(middle), 500), here[middle:], what+", from the middle")
			records.Equal(ends(admin)[partition], len(here), what+", the end")
		}
	}
	after, err := admin.ListOffsetsAfterMilli(ctx, all[12].TimestampMs, topic)
	records.Must(errors.Join(err, after.Error()))
	found, _ := after.Lookup(topic, 0)
	records.Equal(found.Offset, 12, "the offset of a timestamp")
}

func produce(topic string, partition int32, all []records.Record, codec kgo.CompressionCodec, idempotence bool) {
	options := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20 * time.Millisecond),
	}
	if !idempotence {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	client := connect(options...)
	defer client.Close()
	var batch []*kgo.Record
	for _, record := range all {
		headers := []kgo.RecordHeader{}
		for _, header := range record.Headers {
			headers = append(headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		batch = append(batch, &kgo.Record{
			Topic: topic, Partition: partition, Key: record.Key, Value: record.Value,
			Headers: headers, Timestamp: time.UnixMilli(record.TimestampMs),
		})
	}
	records.Must(client.ProduceSync(ctx, batch...).FirstErr())
}

func consume(partition int32, offset int64, count int) []records.Record {
	place := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(offset)}}
	client := connect(kgo.ConsumePartitions(place), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	var found []records.Record
	for len(found) < count {
		fetches := client.PollFetches(ctx)
		records.Must(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			records.Equal(record.Offset, offset+int64(len(found)), "offset")
			found = append(found, asRecords([]*kgo.Record{record})...)
		})
	}
	return found
}

func asRecords(fetched []*kgo.Record) []records.Record {
	var found []records.Record
	for _, record := range fetched {
		headers := []records.Header{}
		for _, header := range record.Headers {
			headers = append(headers, records.Header{Name: header.Key, Value: header.Value})
		}
		found = append(found, records.Record{
			Key: record.Key, Value: record.Value, Headers: headers, TimestampMs: record.Timestamp.UnixMilli(),
		})
	}
	return found
}

// Of each partition, in order.
func ends(admin *kadm.Client) []int {
	listed, err := admin.ListEndOffsets(ctx, topic)
	records.Must(errors.Join(err, listed.Error()))
	var found []int
	for partition := int32(0); ; partition++ {
		offset, exists := listed.Lookup(topic, partition)
		if !exists {
			return found
		}
		found = append(found, int(offset.Offset))
	}
}

func expectError(found, wanted error) {
	if !errors.Is(found, wanted) {
		records.Fail("%v, not %v", found, wanted)
	}
}
