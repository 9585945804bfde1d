package hanging_test

import (
	"fmt"
	"testing"

	"chargestream/engine/hanging"
)

// Names of the actions in the tables of this file.
const (
	wait       = hanging.Wait
	commit     = hanging.Commit
	abort      = hanging.Abort
	fenceAbort = hanging.FenceAbort
	undecided  = hanging.Undecided
)

// open is a transaction that is open on t/0 at epoch 7 of producer 1.
func open() hanging.Open {
	return hanging.Open{Topic: "t", Partition: 0, ProducerID: 1, Epoch: 7, Start: 40}
}

// TestDecideByState has every state of a coordinator, for epochs from before the transaction's to
// two after it. With transaction.version 2 the epoch after it is that of its outcome.
func TestDecideByState(t *testing.T) {
	for _, c := range []struct {
		state hanging.State
		want  [4]hanging.Action // at epochs 6, 7, 8 and 9
	}{
		{hanging.Empty, [4]hanging.Action{wait, fenceAbort, undecided, undecided}},
		{hanging.Ongoing, [4]hanging.Action{wait, wait, undecided, undecided}},
		{hanging.PrepareCommit, [4]hanging.Action{wait, wait, wait, undecided}},
		{hanging.PrepareAbort, [4]hanging.Action{wait, wait, wait, undecided}},
		{hanging.PrepareEpochFence, [4]hanging.Action{wait, wait, wait, undecided}},
		{hanging.CompleteCommit, [4]hanging.Action{wait, undecided, commit, undecided}},
		{hanging.CompleteAbort, [4]hanging.Action{wait, undecided, abort, undecided}},
		{hanging.Dead, [4]hanging.Action{wait, undecided, undecided, undecided}},
		{"a state of a later Kafka", [4]hanging.Action{wait, undecided, undecided, undecided}},
	} {
		for n, want := range c.want {
			for _, bumps := range []bool{true, false} {
				epoch := int16(6 + n)
				t.Run(fmt.Sprint(c.state, " ", epoch, " ", bumps), func(t *testing.T) {
					if !bumps && (want == commit || want == abort) {
						want = undecided // the epoch may have had another transaction since
					}
					got := hanging.Decide(open(), &hanging.Known{ID: "g-a", State: c.state,
						ProducerID: 1, Epoch: epoch, Bumps: bumps}, nil)
					if got.Action != want || got.Reason == "" {
						t.Errorf("%v (%s), want %v", got.Action, got.Reason, want)
					}
				})
			}
		}
	}
}

func TestDecideWithoutACoordinator(t *testing.T) {
	if got := hanging.Decide(open(), nil, nil); got.Action != undecided {
		t.Errorf("no coordinator knows the producer: %v, want %v", got.Action, undecided)
	}
	other := &hanging.Known{ID: "g-a", State: hanging.CompleteCommit, ProducerID: 2, Epoch: 8,
		Bumps: true}
	if got := hanging.Decide(open(), other, nil); got.Action != undecided {
		t.Errorf("the id has another producer: %v, want %v", got.Action, undecided)
	}
}

// entry is an entry of the log of producer 1; an ongoing one wrote to t/0.
func entry(state hanging.State, epoch, version int16) hanging.Entry {
	e := hanging.Entry{ID: "g-a", State: state, ProducerID: 1, Epoch: epoch, Version: version}
	if state == hanging.Ongoing || state == hanging.PrepareCommit || state == hanging.PrepareAbort {
		e.Partitions = map[string][]int32{"t": {0}}
	}
	return e
}

// elsewhere is an ongoing entry that wrote to another partition.
func elsewhere(epoch, version int16) hanging.Entry {
	e := entry(hanging.Ongoing, epoch, version)
	e.Partitions = map[string][]int32{"t": {1}}
	return e
}

// TestDecideByLog has coordinators that show the outcome no longer: id and epoch have moved on.
func TestDecideByLog(t *testing.T) {
	const ongoing, prepCommit, prepAbort = hanging.Ongoing, hanging.PrepareCommit,
		hanging.PrepareAbort
	const committed, aborted, empty = hanging.CompleteCommit, hanging.CompleteAbort, hanging.Empty
	type entries = []hanging.Entry
	for _, c := range []struct {
		name string
		log  entries
		want hanging.Action
	}{
		{"nothing", nil, undecided},
		{"committed", entries{entry(ongoing, 7, 2), entry(prepCommit, 8, 2),
			entry(committed, 8, 2), entry(empty, 9, 2)}, commit},
		{"aborted", entries{entry(ongoing, 7, 2), entry(prepAbort, 8, 2), entry(aborted, 8, 2),
			entry(empty, 9, 2)}, abort},
		{"the log begins with the outcome", entries{entry(committed, 8, 2), entry(empty, 9, 2)},
			commit},
		{"the log begins after the outcome", entries{entry(ongoing, 8, 2),
			entry(prepAbort, 9, 2)}, undecided},
		{"the log begins with the one after", entries{entry(prepAbort, 9, 2)}, undecided},
		{"never begun, then replaced", entries{entry(committed, 7, 2), entry(empty, 8, 2)}, abort},
		{"never begun", entries{entry(prepCommit, 7, 2), entry(committed, 7, 2)}, fenceAbort},
		{"replaced, and the log begins there", entries{entry(empty, 8, 2)}, undecided},
		{"of another producer", entries{{State: committed, ProducerID: 2, Epoch: 8, Version: 2}},
			undecided},
		{"one epoch, committed last", entries{entry(ongoing, 7, 1), entry(prepAbort, 7, 1),
			entry(aborted, 7, 1), entry(ongoing, 7, 1), entry(prepCommit, 7, 1),
			entry(committed, 7, 1)}, commit},
		{"one epoch, aborted last", entries{entry(ongoing, 7, 1), entry(prepCommit, 7, 1),
			entry(committed, 7, 1), entry(ongoing, 7, 1), entry(prepAbort, 7, 1),
			entry(aborted, 7, 1)}, abort},
		{"one epoch, the last one elsewhere", entries{entry(ongoing, 7, 1),
			entry(prepAbort, 7, 1), entry(aborted, 7, 1), elsewhere(7, 1),
			entry(prepCommit, 7, 1), entry(committed, 7, 1)}, abort},
		{"one epoch, another was replaced", entries{entry(ongoing, 7, 1),
			entry(prepCommit, 7, 1), entry(committed, 7, 1), entry(empty, 8, 1),
			entry(ongoing, 8, 1), entry(prepAbort, 8, 1)}, commit},
		{"one epoch, ended by a replacement", entries{entry(ongoing, 7, 1),
			entry(prepAbort, 8, 1), entry(aborted, 8, 1)}, abort},
		{"one epoch, the log begins after it", entries{entry(committed, 8, 1)}, undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, known := range map[string]*hanging.Known{
				"unknown": nil,
				"moved on": {ID: "g-a", State: hanging.Ongoing, ProducerID: 1, Epoch: 12,
					Bumps: true},
			} {
				if got := hanging.Decide(open(), known, c.log); got.Action != c.want {
					t.Errorf("coordinator %s: %v (%s), want %v", name, got.Action, got.Reason,
						c.want)
				}
			}
		})
	}
}

// TestDecideAgrees: where state and log differ, neither is believed; and the log never ends what
// the coordinator has open.
func TestDecideAgrees(t *testing.T) {
	known := func(state hanging.State, epoch int16) *hanging.Known {
		return &hanging.Known{ID: "g-a", State: state, ProducerID: 1, Epoch: epoch, Bumps: true}
	}
	committed := []hanging.Entry{entry(hanging.Ongoing, 7, 2), entry(hanging.CompleteCommit, 8, 2)}
	for _, c := range []struct {
		known *hanging.Known
		want  hanging.Action
	}{
		{known(hanging.CompleteCommit, 8), commit},
		{known(hanging.CompleteAbort, 8), undecided},
		{known(hanging.Empty, 7), undecided},
		{known(hanging.Ongoing, 7), wait},
		{known(hanging.PrepareCommit, 8), wait},
	} {
		if got := hanging.Decide(open(), c.known, committed); got.Action != c.want {
			t.Errorf("%s at epoch %d: %v (%s), want %v", c.known.State, c.known.Epoch, got.Action,
				got.Reason, c.want)
		}
	}
	// As a real broker left it, killed and back within its session timeout.
	seen := []hanging.Entry{entry(hanging.Ongoing, 7, 2), entry(hanging.PrepareAbort, 8, 2),
		entry(hanging.CompleteAbort, 8, 2)}
	if got := hanging.Decide(open(), known(hanging.CompleteAbort, 8), seen); got.Action != abort {
		t.Errorf("as seen: %v, want %v", got.Action, abort)
	}
}

// TestOffsetsOf has what Kafka computes of Java's String.hashCode, of 4 partitions and of 50. The
// hashes of all but two are negative, that of the last one is the smallest number there is.
func TestOffsetsOf(t *testing.T) {
	for group, want := range map[string][2]int32{"": {0, 0}, "grüße-7": {1, 41},
		"accounts": {2, 44}, "watch-hangs": {1, 15},
		"a-long-group-name-with-many-letters": {1, 21}, "polygenelubricants": {0, 0}} {
		got := [2]int32{hanging.OffsetsOf(group, 4), hanging.OffsetsOf(group, 50)}
		if got != want {
			t.Errorf("%q: %v, want %v", group, got, want)
		}
	}
}
