package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/hanging"
	"chargestream/engine/stall"
)

// Standing is what stands still in a cluster, seen from outside of the instances.
type Standing struct {
	// Stalls are stable offsets, and committed offsets of groups that have members, that did not
	// move although there is something to read.
	Stalls []stall.Stall
	// Hanging are transactions that no process ends, of whomever they are.
	Hanging []hanging.Found
	// Unseen is why transactions could not all be looked at, such as a right that is missing; nil
	// if they could.
	Unseen error
}

// StandingStill looks twice, so far apart, at how far topics of processors and the offsets of their
// groups go, and returns what did not move in between. What is seen for so short a time may be a
// rebalance or a restart; a Watch within the instances waits for longer (stall.After).
func StandingStill(ctx context.Context, brokers []string, apart time.Duration,
	procs ...*Processor) (Standing, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(metadataMinAge))
	if err != nil {
		return Standing{}, fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	first, err := lookOutside(ctx, client, procs)
	if err != nil || !first.busy() {
		return Standing{}, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return Standing{}, ctx.Err()
	case <-time.After(apart):
	}
	second, err := lookOutside(ctx, client, procs)
	if err != nil {
		return Standing{}, err
	}
	// The tracker counts in spans of stall.After: what it is told is one, and what is returned has
	// the time that has passed.
	var tracker stall.Tracker
	tracker.Note(began, first.samples)
	tracker.Note(began.Add(stall.After), second.samples)
	stalls, err := second.withData(ctx, brokers, tracker.Stalls())
	found := hanging.Confirm(first.found, second.found)
	return Standing{Stalls: stalls, Hanging: slices.DeleteFunc(found,
		func(f hanging.Found) bool { return !f.Decision.Action.Hangs() }),
		Unseen: second.unseen}, err
}

// withData leaves out groups that have before them nothing but control records.
func (o *outside) withData(ctx context.Context, brokers []string, stalls []stall.Stall) (
	[]stall.Stall, error) {
	var failed error
	return slices.DeleteFunc(stalls, func(s stall.Stall) bool {
		stable := o.survey[topicPartition{s.Topic, s.Partition}].stable
		if s.What != stall.Commit || s.Position >= stable || stable-s.Position > markersMax {
			return false
		}
		records, err := dataAfter(ctx, brokers,
			map[string]map[int32]int64{s.Topic: {s.Partition: s.Position}},
			kadm.ListedOffsets{s.Topic: {s.Partition: {Topic: s.Topic, Partition: s.Partition,
				Offset: stable}}})
		failed = errors.Join(failed, err)
		return err == nil && records == 0
	}), failed
}

// outside is one look from outside of the instances.
type outside struct {
	survey  survey
	samples map[stall.Subject]stall.Sample
	found   []hanging.Found
	unseen  error // of looking at transactions
}

// busy reports whether anything has something to read.
func (o *outside) busy() bool {
	for _, s := range o.samples {
		if s.Behind > 0 {
			return true
		}
	}
	return false
}

func lookOutside(ctx context.Context, client *kgo.Client, procs []*Processor) (outside, error) {
	o, admin := outside{samples: map[stall.Subject]stall.Sample{}}, kadm.NewClient(client)
	now, err := surveyOf(ctx, admin, watchedTopics(procs))
	lacking, e := lackReplicas(ctx, admin, watchedTopics(procs))
	if err = errors.Join(err, e); err != nil {
		return o, err
	}
	// The offsets' topic needs a right that nothing else needs, and the first group makes it.
	if e := now.addOffsets(ctx, admin, groupsOf(procs)); e != nil {
		now = withoutOffsets(now)
	}
	o.survey = now
	at := kadm.TopicsSet{}
	for p, e := range now {
		if e.stable < e.end {
			at.Add(p.topic, p.partition)
		}
	}
	found, unseen, unclear := lookAt(ctx, client, at, procs)
	o.found, o.unseen = found, errors.Join(unseen, unclear)
	v := view{survey: now, found: byPartition(o.found, procs), lacking: lacking}
	v.cluster(o.samples)
	delete(o.samples, stall.Subject{What: stall.Brokers}) // they have answered
	for _, p := range procs {
		if err := v.group(ctx, admin, p, o.samples); err != nil {
			return o, err
		}
	}
	return o, nil
}

func withoutOffsets(s survey) survey {
	for p := range s {
		if p.topic == hanging.OffsetsTopic {
			delete(s, p)
		}
	}
	return s
}

// group samples the committed offsets of a group that has members. One without is no stall: nothing
// is to move.
func (v *view) group(ctx context.Context, admin *kadm.Client, p *Processor,
	samples map[stall.Subject]stall.Sample) error {
	described, err := admin.DescribeGroups(ctx, p.Group)
	d := described[p.Group]
	if err != nil || d.Err != nil || len(d.Members) == 0 {
		return nil // not there yet, or its coordinator is away: status shows that
	}
	committed, err := admin.FetchOffsets(ctx, p.Group)
	if err != nil {
		return fmt.Errorf("read offsets of group %s: %w", p.Group, err)
	}
	for _, topic := range p.Topics() {
		for where, e := range v.survey {
			if where.topic != topic {
				continue
			}
			next := e.start
			if c, ok := committed.Lookup(topic, where.partition); ok {
				next = max(next, c.At)
			}
			s := stall.Sample{Position: next, Behind: max(e.end-next, 0)}
			switch {
			case d.State != "Stable":
				s.Facts.Unassigned = true
			case next >= e.stable:
				s.Facts.Transactions = v.found[where]
			default:
				s.Facts.Uncommitted, s.Facts.Lacking = true, v.lacking
			}
			samples[stall.Subject{What: stall.Commit, Group: p.Group, Topic: topic,
				Partition: where.partition}] = s
		}
	}
	return nil
}
