package engine

import (
	"maps"
	"slices"
	"testing"

	"chargestream/engine/hanging"
)

// hangingOf is a transaction that hangs on a partition of t.
func hangingOf(id string, partition int32, action hanging.Action) hanging.Found {
	return hanging.Found{Open: hanging.Open{Topic: "t", Partition: partition, ProducerID: 1,
		Epoch: 7}, ID: id, Decision: hanging.Decision{Action: action, Reason: "why"}}
}

// TestHangsLook: only a transaction of our own is ended, whose outcome is known, and that two looks
// in a row found; every other one that hangs is logged, once.
func TestHangsLook(t *testing.T) {
	procs := []*Processor{{Group: "accounts"}, {Group: "prices"}}
	type finds = []hanging.Found
	own := hangingOf("accounts-a", 0, hanging.Commit)
	other := hangingOf("accountsish-a", 1, hanging.Abort)
	nobodys := hangingOf("", 2, hanging.Undecided)
	lost := hangingOf("prices-b", 3, hanging.Undecided)
	alive := hangingOf("prices-c", 4, hanging.Wait)
	fence := hangingOf("prices-d", 5, hanging.FenceAbort)
	changed := own
	changed.Decision.Action = hanging.Abort
	moved := own
	moved.Start++
	h := &hangs{procs: procs}
	for n, step := range []struct{ found, end, tell finds }{
		{finds{own, other, nobodys, lost, alive, fence}, nil, nil},
		{finds{own, other, nobodys, lost, alive, fence}, finds{own, fence},
			finds{other, nobodys, lost}},
		{finds{changed, other, alive}, nil, nil}, // another outcome: it is looked at again
		{finds{changed, other, alive}, finds{changed}, nil},
		{finds{moved}, nil, nil}, // another transaction
		{finds{other}, nil, nil},
		{finds{other}, nil, finds{other}}, // it was gone
		{nil, nil, nil},
		{finds{own}, nil, nil},
	} {
		end, tell, by := h.look(step.found)
		if !slices.Equal(end, step.end) {
			t.Errorf("look %d ends %+v, want %+v", n, end, step.end)
		}
		if n == 1 && !maps.Equal(by, map[Owner]int{OwnerOwn: 3, OwnerOther: 1, OwnerUnknown: 1}) {
			t.Errorf("by owner %v", by)
		}
		if n == 0 && len(by) > 0 {
			t.Errorf("one look counts %v", by)
		}
		if !slices.Equal(tell, step.tell) {
			t.Errorf("look %d logs %+v, want %+v", n, tell, step.tell)
		}
	}
}

func TestOwnerOf(t *testing.T) {
	procs := []*Processor{{Group: "accounts"}, {Group: "prices"}}
	for id, want := range map[string]Owner{"accounts-a": OwnerOwn, "prices-": OwnerOwn,
		"accounts": OwnerOther, "account-a": OwnerOther, "accountsish-a": OwnerOther,
		"my-accounts-a": OwnerOther, "": OwnerUnknown} {
		if got := OwnerOf(id, procs...); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
}

// TestStanding: a stable offset that moves, or that has nothing behind it, does not stand.
func TestStanding(t *testing.T) {
	at := func(p int32) topicPartition { return topicPartition{"t", p} }
	before := survey{at(0): {0, 5, 9}, at(1): {0, 5, 9}, at(2): {0, 5, 5}, at(3): {0, 5, 9}}
	now := survey{at(0): {1, 5, 9}, at(1): {0, 6, 9}, at(2): {0, 5, 7}, at(3): {0, 9, 9},
		at(4): {0, 5, 9}}
	got := now.standing(before)
	if len(got) != 1 || !got.Lookup("t", 0) || !got.Lookup("t", 2) || len(got["t"]) != 2 {
		t.Errorf("standing are %v, want t/0 and t/2", got)
	}
}
