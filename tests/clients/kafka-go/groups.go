package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"klamm/clients/records"
)

const (
	grouped    = "grouped"
	partitions = 3
	patience   = 30 * time.Second
)

type share = map[int]bool

var whole = share{0: true, 1: true, 2: true}

// A member commits each message that it is given. What it owns, the broker knows alone.
type member struct {
	reader *kafka.Reader
	mutex  sync.Mutex
	read   map[int][]kafka.Message
	stop   context.CancelFunc
	ended  chan error
}

func join(group string, balancer kafka.GroupBalancer) *member {
	one := &member{read: map[int][]kafka.Message{}, ended: make(chan error, 1)}
	one.reader = kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, GroupID: group, Topic: grouped, GroupBalancers: []kafka.GroupBalancer{balancer},
		SessionTimeout: 6 * time.Second, HeartbeatInterval: 500 * time.Millisecond, RebalanceTimeout: 6 * time.Second,
		JoinGroupBackoff: 200 * time.Millisecond, MaxWait: 100 * time.Millisecond, MaxBytes: 10 << 20,
	})
	var reading context.Context
	reading, one.stop = context.WithCancel(ctx)
	go func() { one.ended <- one.run(reading) }()
	return one
}

func (one *member) run(reading context.Context) error {
	for {
		message, err := one.reader.FetchMessage(reading)
		var refused kafka.Error
		if errors.Is(err, context.Canceled) {
			return nil
		} else if errors.As(err, &refused) && refused.Temporary() {
			// It goes on trying to join by itself.
			continue
		} else if err != nil {
			return err
		}
		one.mutex.Lock()
		one.read[message.Partition] = append(one.read[message.Partition], message)
		one.mutex.Unlock()
		if err := one.reader.CommitMessages(ctx, message); err != nil {
			return err
		}
	}
}

func (one *member) leave() {
	one.stop()
	records.Must(<-one.ended)
	records.Must(one.reader.Close())
}

func (one *member) count() int {
	one.mutex.Lock()
	defer one.mutex.Unlock()
	count := 0
	for _, read := range one.read {
		count += len(read)
	}
	return count
}

// What was written to each partition of the topic.
type story struct {
	written [partitions][]records.Record
}

func checkGroups() {
	wanted := kafka.TopicConfig{Topic: grouped, NumPartitions: partitions, ReplicationFactor: 1}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}})
	records.Must(errors.Join(err, answer.Errors[grouped]))
	told := &story{}
	told.check(kafka.RangeGroupBalancer{})
	told.check(kafka.RoundRobinGroupBalancer{})
	checkSimple()
}

func (told *story) write() {
	all := allKinds()
	for partition := range partitions {
		var here []records.Record
		for n := partition; n < len(all); n += partitions {
			here = append(here, all[n])
		}
		produce(grouped, partition, here, kafka.Lz4)
		told.written[partition] = append(told.written[partition], here...)
	}
}

func (told *story) ends() map[int]string {
	ends := map[int]string{}
	for partition := range partitions {
		ends[partition] = fmt.Sprint(len(told.written[partition]), " ")
	}
	return ends
}

// The members of one new group read everything, each record once, while they come and go.
func (told *story) check(balancer kafka.GroupBalancer) {
	name := balancer.ProtocolName()
	group := "readers-" + name
	var members []*member
	joined := func() *member {
		members = append(members, join(group, balancer))
		return members[len(members)-1]
	}
	readOn := func() {
		told.write()
		isCommitted := func() bool { return maps.Equal(offsets(group), told.ends()) }
		records.EventuallyWithin(patience, isCommitted, name+": everything is committed")
	}
	first := joined()
	expectShares(group, 1)
	readOn()
	second := joined()
	expectShares(group, 2)
	readOn()
	expectError(removeGroup(group), kafka.NonEmptyGroup)
	expectError(commit(group, 0, 1, "told"), kafka.UnknownMemberId)
	expectError(removeOffset(group, 0), kafka.GroupSubscribedToTopic)
	records.Equal(listed()[group], "consumer", group+" is listed")
	second.leave()
	expectShares(group, 1)
	readOn()
	first.leave()
	// Commits outlive the members.
	third := joined()
	readOn()
	third.leave()
	for partition := range partitions {
		var found []kafka.Message
		for _, one := range members {
			found = append(found, one.read[partition]...)
		}
		sort.Slice(found, func(a, b int) bool { return found[a].Offset < found[b].Offset })
		var read []records.Record
		for n, message := range found {
			records.Equal(message.Offset, int64(n), name+": offset")
			read = append(read, asRecord(message))
		}
		records.Expect(read, told.written[partition], fmt.Sprintf("%s: partition %d", name, partition))
	}
	records.Equal(second.count() > 0, true, name+": the second was given something")
	told.checkEmpty(group, balancer)
}

// What a group leaves, and how it ends.
func (told *story) checkEmpty(group string, balancer kafka.GroupBalancer) {
	expectShares(group, 0)
	records.Equal(describe(group).GroupState, "Empty", group)
	records.Must(commit(group, 1, 3, "told"))
	records.Must(removeOffset(group, 2))
	wanted := told.ends()
	wanted[1] = "3 told"
	wanted[2] = "-1 "
	records.Equal(offsets(group), wanted, group+": committed by an administrator")
	one := join(group, balancer)
	count := len(told.written[1]) - 3 + len(told.written[2])
	records.EventuallyWithin(patience, func() bool { return one.count() == count }, "from 3 of one, and all of another")
	one.leave()

	records.Must(removeGroup(group))
	_, isListed := listed()[group]
	records.Equal(isListed, false, group+" is listed, behind its end")
	records.Equal(offsets(group), map[int]string{0: "-1 ", 1: "-1 ", 2: "-1 "}, group+": committed, behind its end")
	records.Equal(describe(group).GroupState, "Dead", group)
	expectError(removeGroup(group), kafka.GroupIdNotFound)
	expectError(removeOffset(group, 1), kafka.GroupIdNotFound)
}

// Offsets without members.
func checkSimple() {
	records.Must(commit("simple", 0, 7, "told, с приветом"))
	records.Equal(offsets("simple"), map[int]string{0: "7 told, с приветом", 1: "-1 ", 2: "-1 "}, "simple")
	records.Equal(describe("simple").GroupState, "Empty", "simple")
	records.Must(removeGroup("simple"))
}

// So many members are in the group and share all partitions.
func expectShares(group string, count int) {
	records.EventuallyWithin(patience, func() bool {
		// The broker has no place for groups before one is asked for.
		described, err := tryDescribe(group)
		if err != nil {
			return false
		}
		owned, partitionCount := share{}, 0
		for _, one := range described.Members {
			here := 0
			for _, topic := range one.MemberAssignments.Topics {
				for _, partition := range topic.Partitions {
					owned[partition] = true
					here++
				}
			}
			if here == 0 {
				return false
			}
			partitionCount += here
		}
		if count == 0 {
			return len(described.Members) == 0
		}
		isStable := described.GroupState == "Stable" && len(described.Members) == count
		return isStable && partitionCount == partitions && maps.Equal(owned, whole)
	}, fmt.Sprintf("%s: %d share", group, count))
}

func describe(group string) kafka.DescribeGroupsResponseGroup {
	described, err := tryDescribe(group)
	records.Must(err)
	return described
}

func tryDescribe(group string) (kafka.DescribeGroupsResponseGroup, error) {
	answer, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	records.Must(err)
	return answer.Groups[0], answer.Groups[0].Error
}

func listed() map[string]string {
	answer, err := client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	records.Must(err)
	records.Must(answer.Error)
	found := map[string]string{}
	for _, group := range answer.Groups {
		found[group.GroupID] = group.ProtocolType
	}
	return found
}

func offsets(group string) map[int]string {
	asked := map[string][]int{grouped: {0, 1, 2}}
	answer, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: asked})
	records.Must(err)
	records.Must(answer.Error)
	found := map[int]string{}
	for _, place := range answer.Topics[grouped] {
		records.Must(place.Error)
		found[place.Partition] = fmt.Sprint(place.CommittedOffset, " ", place.Metadata)
	}
	return found
}

func commit(group string, partition int, offset int64, metadata string) error {
	places := map[string][]kafka.OffsetCommit{grouped: {{Partition: partition, Offset: offset, Metadata: metadata}}}
	answer, err := client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: places})
	records.Must(err)
	return answer.Topics[grouped][0].Error
}

func removeOffset(group string, partition int) error {
	places := map[string][]int{grouped: {partition}}
	answer, err := client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: places})
	records.Must(err)
	if answer.Error != nil {
		return answer.Error
	}
	return answer.Topics[grouped][0].Error
}

func removeGroup(group string) error {
	answer, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	records.Must(err)
	return answer.Errors[group]
}
