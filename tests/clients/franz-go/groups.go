package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"klamm/clients/records"
)

const (
	grouped    = "grouped"
	partitions = 3
	// What a member commits beside an offset.
	metadata = "as far as this, с приветом"
	patience = 30 * time.Second
)

var whole = share{0: true, 1: true, 2: true}

type share map[int32]bool

// A member commits what each poll has given before a rebalance may take it.
type member struct {
	client     *kgo.Client
	mutex      sync.Mutex
	owned      share
	rebalances int
	read       map[int32][]*kgo.Record
	stop       context.CancelFunc
	ended      chan error
}

func join(group string, balancer kgo.GroupBalancer, options ...kgo.Opt) *member {
	one := &member{owned: share{}, read: map[int32][]*kgo.Record{}, ended: make(chan error, 1)}
	change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			one.mutex.Lock()
			defer one.mutex.Unlock()
			if owned {
				one.rebalances++
			}
			for _, partition := range changed[grouped] {
				if owned {
					one.owned[partition] = true
				} else {
					delete(one.owned, partition)
				}
			}
		}
	}
	one.client = connect(append(options,
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(grouped), kgo.Balancers(balancer),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false)),
	)...)
	var polling context.Context
	polling, one.stop = context.WithCancel(ctx)
	go func() { one.ended <- one.poll(polling) }()
	return one
}

func (one *member) poll(polling context.Context) error {
	committing := kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for _, topic := range request.Topics {
			for n := range topic.Partitions {
				topic.Partitions[n].Metadata = kmsg.StringPtr(metadata)
			}
		}
		return nil
	})
	for polling.Err() == nil {
		fetches := one.client.PollFetches(polling)
		if err := fetches.Err(); err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		one.mutex.Lock()
		fetches.EachRecord(func(record *kgo.Record) {
			one.read[record.Partition] = append(one.read[record.Partition], record)
		})
		one.mutex.Unlock()
		if err := one.client.CommitUncommittedOffsets(committing); err != nil {
			return err
		}
		one.client.AllowRebalance()
	}
	return nil
}

func (one *member) leave() {
	one.stop()
	records.Must(<-one.ended)
	one.client.CloseAllowingRebalance()
}

func (one *member) share() share {
	one.mutex.Lock()
	defer one.mutex.Unlock()
	return maps.Clone(one.owned)
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
	admin   *kadm.Client
	written [partitions][]records.Record
}

func checkGroups(admin *kadm.Client) {
	_, err := admin.CreateTopic(ctx, partitions, 1, nil, grouped)
	records.Must(err)
	told := &story{admin: admin}
	for _, balancer := range []kgo.GroupBalancer{kgo.RangeBalancer(), kgo.StickyBalancer(), kgo.CooperativeStickyBalancer()} {
		told.check(balancer)
	}
	told.checkStatic()
}

func (told *story) write() {
	all := records.All()
	for partition := range partitions {
		var here []records.Record
		for n := partition; n < len(all); n += partitions {
			here = append(here, all[n])
		}
		produce(grouped, int32(partition), here, kgo.Lz4Compression(), true)
		told.written[partition] = append(told.written[partition], here...)
	}
}

func (told *story) count() int {
	count := 0
	for _, here := range told.written {
		count += len(here)
	}
	return count
}

// The members of one new group read everything, each record once, while they come and go.
func (told *story) check(balancer kgo.GroupBalancer) {
	name := balancer.ProtocolName()
	group := "readers-" + name
	var members []*member
	joined := func() *member {
		members = append(members, join(group, balancer))
		return members[len(members)-1]
	}
	readOn := func() {
		told.write()
		records.EventuallyWithin(patience, func() bool {
			count := 0
			for _, one := range members {
				count += one.count()
			}
			return count >= told.count()
		}, name+": everything is read")
	}
	ownsAll := func(one *member) {
		records.EventuallyWithin(patience, func() bool { return maps.Equal(one.share(), whole) }, name+": one owns all")
	}
	first := joined()
	ownsAll(first)
	readOn()
	second := joined()
	records.EventuallyWithin(patience, func() bool { return isShared(first.share(), second.share()) }, name+": two share")
	readOn()
	told.checkShared(group, name)
	second.leave()
	ownsAll(first)
	readOn()
	first.leave()
	// Commits outlive the members.
	third := joined()
	readOn()
	third.leave()

	for partition := range partitions {
		var found []*kgo.Record
		for _, one := range members {
			found = append(found, one.read[int32(partition)]...)
		}
		sort.Slice(found, func(a, b int) bool { return found[a].Offset < found[b].Offset })
		what := fmt.Sprintf("%s: partition %d", name, partition)
		records.Expect(asRecords(found), told.written[partition], what)
		records.Equal(found[len(found)-1].Offset, int64(len(found)-1), what+", offsets")
	}
	told.checkEmpty(group, balancer)
}

// What administrators see of two members, and may not do to them.
func (told *story) checkShared(group, name string) {
	admin := told.admin
	records.Eventually(func() bool { return told.describe(group).State == "Stable" }, group+" is stable")
	described := told.describe(group)
	records.Equal([]string{described.ProtocolType, described.Protocol}, []string{"consumer", name}, group)
	records.Equal(len(described.Members), 2, group+": members")
	var shares []share
	for _, one := range described.Members {
		records.Equal([]string{one.ClientID, one.ClientHost}, []string{"kgo", "/127.0.0.1"}, group)
		assigned, _ := one.Assigned.AsConsumer()
		owned := share{}
		for _, topic := range assigned.Topics {
			for _, partition := range topic.Partitions {
				owned[partition] = true
			}
		}
		shares = append(shares, owned)
		subscribed, _ := one.Join.AsConsumer()
		records.Equal(subscribed.Topics, []string{grouped}, group+": subscribed")
	}
	records.Equal(isShared(shares[0], shares[1]), true, group+": two share")

	listed, err := admin.ListGroups(ctx, "Stable")
	records.Must(err)
	found := listed[group]
	records.Equal([]string{found.ProtocolType, found.State, found.GroupType}, []string{"consumer", "Stable", "classic"}, group)
	listed, err = admin.ListGroups(ctx, "Empty")
	records.Must(err)
	records.Equal(listed[group].State, "", group+" among the empty ones")
	listed, err = admin.ListGroupsByType(ctx, []string{"consumer"})
	records.Must(err)
	records.Equal(listed[group].State, "", group+" among those of the other protocol")

	expectError(told.remove(group), kerr.NonEmptyGroup)
	offsets := kadm.Offsets{}
	offsets.AddOffset(grouped, 0, 1, -1)
	committed, err := admin.CommitOffsets(ctx, group, offsets)
	records.Must(err)
	expectError(committed.Error(), kerr.UnknownMemberID)
	deleted, err := admin.DeleteOffsets(ctx, group, offsets.TopicsSet())
	records.Must(err)
	expectError(deleted[grouped][0], kerr.GroupSubscribedToTopic)
	// What was read last is committed a moment later.
	records.Eventually(func() bool {
		lags, err := admin.Lag(ctx, group)
		records.Must(errors.Join(err, lags.Error()))
		return lags[group].Lag.Total() == 0
	}, group+": no lag")
}

// What a group leaves, and how it ends.
func (told *story) checkEmpty(group string, balancer kgo.GroupBalancer) {
	admin := told.admin
	records.Eventually(func() bool { return told.describe(group).State == "Empty" }, group+" is empty")
	records.Equal(len(told.describe(group).Members), 0, group+": members")
	wanted := map[int32]string{}
	for partition := range partitions {
		wanted[int32(partition)] = fmt.Sprint(len(told.written[partition]), " ", metadata)
	}
	records.Equal(told.offsets(group), wanted, group+": committed")

	altered := kadm.Offsets{}
	altered.Add(kadm.Offset{Topic: grouped, Partition: 1, At: 3, LeaderEpoch: -1, Metadata: "told"})
	records.Must(admin.CommitAllOffsets(ctx, group, altered))
	gone := kadm.TopicsSet{}
	gone.Add(grouped, 2)
	deleted, err := admin.DeleteOffsets(ctx, group, gone)
	records.Must(errors.Join(err, deleted.Error()))
	wanted[1] = "3 told"
	delete(wanted, 2)
	records.Equal(told.offsets(group), wanted, group+": committed by an administrator")
	one := join(group, balancer)
	count := len(told.written[1]) - 3 + len(told.written[2])
	records.EventuallyWithin(patience, func() bool { return one.count() == count }, "from 3 of one, and all of another")
	one.leave()

	records.Must(told.remove(group))
	records.Equal(told.offsets(group), map[int32]string{}, group+": committed, behind its end")
	listed, err := admin.ListGroups(ctx)
	records.Must(err)
	_, isListed := listed[group]
	records.Equal(isListed, false, group+" is listed, behind its end")
	described, err := admin.DescribeGroups(ctx, group)
	records.Must(err)
	expectError(described[group].Err, kerr.GroupIDNotFound)
	records.Equal(described[group].State, "Dead", group+", behind its end")
	expectError(told.remove(group), kerr.GroupIDNotFound)
	_, err = admin.DeleteOffsets(ctx, group, gone)
	expectError(err, kerr.GroupIDNotFound)
}

// A member with a name keeps its share while it is away, until it is put out.
func (told *story) checkStatic() {
	const group = "static"
	named := func(name string) *member { return join(group, kgo.CooperativeStickyBalancer(), kgo.InstanceID(name)) }
	one, other := named("one"), named("other")
	records.EventuallyWithin(patience, func() bool { return isShared(one.share(), other.share()) }, "two with names share")
	records.Eventually(func() bool { return told.describe(group).State == "Stable" }, "it is stable")
	owned, rebalances := one.share(), other.rebalances
	one.leave()
	var names []string
	for _, described := range told.describe(group).Members {
		names = append(names, *described.InstanceID)
	}
	records.Equal(names, []string{"one", "other"}, "names")
	one = named("one")
	records.EventuallyWithin(patience, func() bool { return maps.Equal(one.share(), owned) }, "its own share again")
	records.Equal(other.rebalances, rebalances, "rebalances of the other")
	one.leave()
	left, err := told.admin.LeaveGroup(ctx, kadm.LeaveGroup(group).Reason("a test").InstanceIDs("one"))
	records.Must(errors.Join(err, left.Error()))
	records.EventuallyWithin(patience, func() bool { return maps.Equal(other.share(), whole) }, "one owns all")
	other.leave()
	expectError(told.remove(group), kerr.NonEmptyGroup)
	left, err = told.admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("other"))
	records.Must(errors.Join(err, left.Error()))
	records.Must(told.remove(group))
}

func (told *story) describe(group string) kadm.DescribedGroup {
	described, err := told.admin.DescribeGroups(ctx, group)
	records.Must(errors.Join(err, described.Error()))
	return described[group]
}

func (told *story) remove(group string) error {
	answer, err := told.admin.DeleteGroup(ctx, group)
	if err != nil {
		return err
	}
	return answer.Err
}

func (told *story) offsets(group string) map[int32]string {
	fetched, err := told.admin.FetchOffsets(ctx, group)
	records.Must(errors.Join(err, fetched.Error()))
	found := map[int32]string{}
	for partition, offset := range fetched[grouped] {
		found[partition] = fmt.Sprint(offset.At, " ", offset.Metadata)
	}
	return found
}

// Each has a part, and both have all.
func isShared(one, other share) bool {
	both := maps.Clone(one)
	maps.Copy(both, other)
	return len(one) > 0 && len(other) > 0 && len(one)+len(other) == partitions && maps.Equal(both, whole)
}
