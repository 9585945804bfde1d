package engine

import (
	"fmt"
	"time"

	"chargestream/engine/broker"
	"chargestream/engine/hanging"
	"chargestream/engine/stall"
)

// lastsAfter is when an attempt is not one of those that end again and again. It is shorter than
// what makes a stall: one restart, after which there is nothing to do, is none.
const lastsAfter = stall.After / 2

// view is what a look has of the cluster.
type view struct {
	survey  survey
	found   map[topicPartition][]stall.Transaction
	lacking []string // partitions without all of their replicas
	failed  error
}

// byPartition are open transactions as reasons.
func byPartition(found []hanging.Found, procs []*Processor) map[topicPartition][]stall.Transaction {
	by := map[topicPartition][]stall.Transaction{}
	for n := range found {
		f := &found[n]
		t := stall.Transaction{ID: f.ID, Class: stall.OpenOngoing, Detail: f.Decision.Reason}
		if f.Decision.Action.Hangs() {
			t.Class = map[Owner]string{OwnerOwn: stall.HangingOwn, OwnerOther: stall.HangingOther,
				OwnerUnknown: stall.HangingLost}[OwnerOf(f.ID, procs...)]
		}
		at := topicPartition{f.Topic, f.Partition}
		by[at] = append(by[at], t)
	}
	return by
}

// note takes a sample of every position, and returns what stands still since then, and what moves
// again.
func (w *Watch) note(now time.Time, v view) (began, ended []stall.Stall) {
	samples := map[stall.Subject]stall.Sample{}
	v.cluster(samples)
	running := w.running()
	for _, p := range w.procs {
		w.sampleGroup(now, p, running[p.Group], v.lacking, samples)
		if i := running[p.Group]; i != nil {
			if err := v.grown(i); err != nil {
				i.fail(err)
			}
			v.inputs(i, samples)
			v.lookups(i, samples)
		}
	}
	for _, view := range w.views {
		v.view(view, samples)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tracker.Note(now, samples)
}

// cluster samples whether the brokers answer, and the stable offsets.
func (v *view) cluster(samples map[stall.Subject]stall.Sample) {
	s := stall.Sample{}
	if v.failed != nil {
		class := broker.Classify(v.failed)
		s.Behind = 1
		s.Facts.Brokers = stall.Reason{Class: class.Name, Detail: class.Reason}
		s.Facts.Lacking = v.lacking
	}
	samples[stall.Subject{What: stall.Brokers}] = s
	for at, e := range v.survey {
		if at.topic == hanging.OffsetsTopic && len(v.found[at]) == 0 {
			continue // of other groups
		}
		samples[stall.Subject{What: stall.Stable, Topic: at.topic, Partition: at.partition}] =
			stall.Sample{Position: e.stable, Behind: e.end - e.stable,
				Facts: stall.Facts{Transactions: v.found[at], Lacking: v.lacking}}
	}
}

// sampleGroup samples the place of the instance in its group, and its commits.
func (w *Watch) sampleGroup(now time.Time, p *Processor, i *instance, lacking []string,
	samples map[stall.Subject]stall.Sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, subject := w.seen[p.Group], stall.Subject{What: stall.Group, Group: p.Group}
	s := stall.Sample{Behind: 1, Facts: stall.Facts{Unassigned: true}}
	if i != nil {
		s = i.sample()
		at.lookedUp = max(at.lookedUp, i.lookedUp())
	}
	if now.Sub(at.began) >= lastsAfter {
		at.failing = stall.Reason{}
	}
	if at.failing.Class != "" { // being ready for a moment is no progress, only commits are
		s = stall.Sample{Behind: 1, Facts: stall.Facts{Failing: at.failing}}
		if i != nil {
			s.Position = i.commits.Load()
		}
	}
	s.Position += at.done + at.lookedUp
	samples[subject] = s
	if i == nil {
		return
	}
	subject.What = stall.Commit
	samples[subject] = stall.Sample{Position: i.commits.Load(), Behind: i.uncommitted(),
		Facts: stall.Facts{Uncommitted: true, Lacking: lacking}}
}

// sample is a sample of the place of an instance in its group.
func (i *instance) sample() stall.Sample {
	i.stateMu.Lock()
	state := i.state
	i.stateMu.Unlock()
	if state.Ready() {
		return stall.Sample{Position: int64(state.Active)}
	}
	s := stall.Sample{Position: i.restoredRows.Load() + i.commits.Load() + int64(state.Active),
		Behind: 1, Facts: stall.Facts{Unassigned: !state.Member, Restoring: state.Member}}
	if table := i.awaited.Load(); table != nil {
		s.Facts.Table = *table
	}
	return s
}

// lookedUp is the sum of the offsets of the copies of lookup tables.
func (i *instance) lookedUp() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	var sum int64
	for _, copies := range i.copies {
		for _, s := range copies {
			sum += s.Offset(0) + 1
		}
	}
	return sum
}

// uncommitted is how many records were taken to be folded and are not committed.
func (i *instance) uncommitted() int64 {
	var sum int64
	for _, p := range i.active() {
		committed := p.committed.Load() // first: it is then no larger than what is taken
		for _, topic := range i.p.Topics() {
			if at, ok := p.read.Position(topic); ok {
				sum += at.Taken
			}
		}
		sum -= committed
	}
	return max(sum, 0)
}

// inputs samples the positions of the inputs of an instance.
func (v *view) inputs(i *instance, samples map[stall.Subject]stall.Sample) {
	full := i.queued.Load() > queueBytesMax && i.starving.Load() == 0
	committing := !i.commitMu.TryLock()
	if !committing {
		i.commitMu.Unlock()
	}
	for _, p := range i.active() {
		if p.emptying.Load() {
			continue // the group is not ready: nothing is folded before that is done
		}
		awaited := p.read.Awaited()
		for _, topic := range i.p.Topics() {
			at, ok := p.read.Position(topic)
			where := topicPartition{topic, p.id}
			e, known := v.survey[where]
			if !ok || !known {
				continue
			}
			s := stall.Sample{Position: at.Folded,
				Behind: max(e.end-at.Fetched, 0) + int64(at.Queued),
				Facts: stall.Facts{Full: full || at.Paused, Uncommitted: committing,
					Lacking: v.lacking, Unfetched: at.Queued == 0}}
			if at.Queued > 0 {
				s.Facts.Topics = awaited
			} else if at.Fetched >= e.stable {
				s.Facts.Transactions = v.found[where]
			}
			samples[stall.Subject{What: stall.Input, Group: i.p.Group, Topic: topic,
				Partition: p.id}] = s
		}
	}
}

// grown returns an error if an input has more partitions than the instance knows. The client of the
// group would notice that when its metadata are old, five minutes later, and until then nothing of
// the new partitions is read.
func (v *view) grown(i *instance) error {
	for _, topic := range i.p.Topics() {
		if _, more := v.survey[topicPartition{topic, i.partitions}]; more {
			return fmt.Errorf("%w: %q has a partition %d now, and keys lie elsewhere than "+
				"their rows", ErrTopics, topic, i.partitions)
		}
	}
	return nil
}

// lookups samples the copies of lookup tables of an instance.
func (v *view) lookups(i *instance, samples map[stall.Subject]stall.Sample) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for topic, copies := range i.copies {
		for id, store := range copies {
			v.add(stall.Subject{What: stall.Lookup, Group: i.p.Group, Topic: topic, Partition: id},
				store.Offset(0)+1, samples)
		}
	}
}

// view samples the positions of a view.
func (v *view) view(of *View, samples map[stall.Subject]stall.Sample) {
	for at := range v.survey {
		if at.topic == of.topic {
			v.add(stall.Subject{What: stall.View, Topic: at.topic, Partition: at.partition},
				of.rows.next(at.partition), samples)
		}
	}
}

// add samples a reader of committed records that is to reach the end of a partition.
func (v *view) add(s stall.Subject, next int64, samples map[stall.Subject]stall.Sample) {
	where := topicPartition{s.Topic, s.Partition}
	e, known := v.survey[where]
	if !known {
		return
	}
	next = max(next, e.start)
	sample := stall.Sample{Position: next, Behind: max(e.end-next, 0)}
	if next >= e.stable {
		sample.Facts.Transactions = v.found[where]
	} else {
		sample.Facts.Unfetched = true
	}
	samples[s] = sample
}
