package stall_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/stall"
)

// input is the subject of most tests.
func input() stall.Subject {
	return stall.Subject{What: stall.Input, Group: "g", Topic: "t", Partition: 1}
}

// every is how far apart the samples of these tests are.
const every = 5 * time.Second

// film notes one sample of the subject after another, and returns what began (with its reason) and
// ended at each.
func film(t *testing.T, samples ...stall.Sample) []string {
	t.Helper()
	var tracker stall.Tracker
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	said := make([]string, len(samples))
	for n, s := range samples {
		all := map[stall.Subject]stall.Sample{}
		if s.Behind >= 0 {
			all[input()] = s
		}
		began, ended := tracker.Note(at, all)
		for _, b := range began {
			said[n] += "began " + b.Reason.Class
		}
		for range ended {
			said[n] += "ended"
		}
		if stuck := len(tracker.Stalls()) > 0; stuck != standing(said[:n+1]) {
			t.Errorf("sample %d: stalls are %v after %q", n, tracker.Stalls(), said[:n+1])
		}
		at = at.Add(every)
	}
	return said
}

// standing reports whether the subject stands still by the last of what was said. A sample without
// the subject forgets it.
func standing(said []string) bool {
	stands := false
	for _, s := range said {
		if s != "" {
			stands = s != "ended"
		}
	}
	return stands
}

// at is a sample at a position with records behind it, and nothing known of the reason.
func at(position, behind int64) stall.Sample {
	return stall.Sample{Position: position, Behind: behind}
}

func because(s stall.Sample, f stall.Facts) stall.Sample {
	s.Facts = f
	return s
}

// TestTracker has positions of one subject, five seconds apart. What stands still is said once,
// within 30 s of its last movement.
func TestTracker(t *testing.T) {
	full, waits := stall.Facts{Full: true}, stall.Facts{Topics: []string{"u"}}
	for name, c := range map[string]struct {
		samples []stall.Sample
		want    []string
	}{
		"moves": {[]stall.Sample{at(1, 9), at(2, 9), at(3, 9), at(4, 9), at(5, 9), at(6, 9)},
			make([]string, 6)},
		"has nothing to read": {[]stall.Sample{at(1, 0), at(1, 0), at(1, 0), at(1, 0), at(1, 0),
			at(1, 0)}, make([]string, 6)},
		"stands still, and moves": {[]stall.Sample{at(1, 9), at(1, 9), at(1, 9), at(1, 9),
			at(1, 9), at(1, 12), at(2, 12)},
			[]string{"", "", "", "", "began unknown", "", "ended"}},
		"nothing is left to read": {[]stall.Sample{at(1, 9), at(1, 9), at(1, 9), at(1, 9),
			at(1, 9), at(1, 0), at(1, 9)},
			[]string{"", "", "", "", "began unknown", "ended", ""}},
		"gets something to read after a long time": {[]stall.Sample{at(1, 0), at(1, 0), at(1, 0),
			at(1, 0), at(1, 0), at(1, 9), at(1, 9), at(1, 9), at(1, 9)},
			[]string{"", "", "", "", "", "", "", "", "began unknown"}},
		"goes back, as a new attempt does": {[]stall.Sample{at(5, 9), at(5, 9), at(5, 9),
			at(5, 9), at(1, 9), at(1, 9), at(1, 9), at(1, 9), at(1, 9)},
			[]string{"", "", "", "", "", "", "", "", "began unknown"}},
		"another reason": {[]stall.Sample{at(1, 9), at(1, 9), at(1, 9), because(at(1, 9), full),
			because(at(1, 9), full), because(at(1, 9), full), because(at(1, 9), waits)},
			[]string{"", "", "", "", "began backpressure", "", "began waits_for_topic"}},
		"is another process's": {[]stall.Sample{at(1, 9), at(1, 9), at(1, 9), at(1, -1),
			at(1, 9), at(1, 9), at(1, 9), at(1, 9), at(1, 9)},
			[]string{"", "", "", "", "", "", "", "", "began unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, film(t, c.samples...)); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTrackerIsInOrder: subjects do not change each other, and come in order.
func TestTrackerIsInOrder(t *testing.T) {
	var tracker stall.Tracker
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	subject := func(p int32) stall.Subject {
		return stall.Subject{What: stall.View, Topic: "t", Partition: p}
	}
	for n := range int64(6) {
		samples := map[stall.Subject]stall.Sample{}
		for p := range int32(5) {
			samples[subject(p)] = at(3, 1)
		}
		samples[subject(2)] = at(n, 1)
		tracker.Note(begin.Add(time.Duration(n)*every), samples)
	}
	var got []int32
	for _, s := range tracker.Stalls() {
		got = append(got, s.Partition)
		if !s.Since.Equal(begin) || s.Behind != 1 {
			t.Errorf("%+v, want it since %v", s, begin)
		}
	}
	if diff := cmp.Diff([]int32{0, 1, 3, 4}, got); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
}

// TestReasons has each fact alone, and beside all that come after it.
func TestReasons(t *testing.T) {
	away := stall.Reason{Class: "network", Detail: "a broker is down"}
	right := stall.Reason{Class: "unauthorized", Detail: "a right on a topic is missing"}
	facts := []struct {
		class string
		set   func(*stall.Facts)
	}{
		{"network", func(f *stall.Facts) { f.Brokers = away }},
		{"unauthorized", func(f *stall.Facts) { f.Failing = right }},
		{stall.HangingOther, func(f *stall.Facts) {
			f.Transactions = []stall.Transaction{{Class: stall.OpenOngoing},
				{Class: stall.HangingOther, ID: "x"}, {Class: stall.HangingOwn}}
		}},
		{stall.WaitsForTable, func(f *stall.Facts) { f.Table = "t-table" }},
		{stall.NotAssigned, func(f *stall.Facts) { f.Unassigned = true }},
		{stall.Restoring, func(f *stall.Facts) { f.Restoring = true }},
		{stall.WaitsForTopic, func(f *stall.Facts) { f.Topics = []string{"u"} }},
		{stall.LacksReplicas, func(f *stall.Facts) {
			f.Uncommitted, f.Lacking = true, []string{"t/1 (1 of 3)"}
		}},
		{stall.CommitSlow, func(f *stall.Facts) { f.Uncommitted = true }},
		{stall.Backpressure, func(f *stall.Facts) { f.Full = true }},
		{stall.NotFetched, func(f *stall.Facts) { f.Unfetched = true }},
		{stall.Unknown, func(*stall.Facts) {}},
	}
	for n, c := range facts {
		var alone, beside stall.Facts
		c.set(&alone)
		for _, later := range facts[n:] {
			later.set(&beside)
		}
		for _, f := range []stall.Facts{alone, beside} {
			if got := f.Reason(); got.Class != c.class || got.Detail == "" {
				t.Errorf("%+v: %+v, want %s", f, got, c.class)
			}
		}
	}
}

// TestReasonIsReplicas: a leader whose followers are away, and a transaction whose coordinator
// cannot end it for that, are what replicas that are missing look like. A transaction that hangs
// is not.
func TestReasonIsReplicas(t *testing.T) {
	lacking := []string{"t/1 (1 of 3)"}
	moved := stall.Reason{Class: "leader_moved", Detail: "the partition has another leader"}
	for _, c := range []struct {
		facts stall.Facts
		want  string
	}{
		{stall.Facts{Brokers: moved}, moved.Class},
		{stall.Facts{Brokers: moved, Lacking: lacking}, stall.LacksReplicas},
		{stall.Facts{Brokers: stall.Reason{Class: "network"}, Lacking: lacking}, "network"},
		{stall.Facts{Transactions: []stall.Transaction{{Class: stall.OpenOngoing}},
			Lacking: lacking}, stall.LacksReplicas},
		{stall.Facts{Transactions: []stall.Transaction{{Class: stall.HangingOwn}},
			Lacking: lacking}, stall.HangingOwn},
	} {
		got := c.facts.Reason()
		if got.Class != c.want || c.want == stall.LacksReplicas &&
			!strings.Contains(got.Detail, lacking[0]) {
			t.Errorf("%+v: %+v, want %s", c.facts, got, c.want)
		}
	}
}

// TestReasonNamesTheTransaction: the one that stands longest in the way, and whose it is.
func TestReasonNamesTheTransaction(t *testing.T) {
	one := func(class, id string) stall.Transaction {
		return stall.Transaction{Class: class, ID: id, Detail: "why"}
	}
	for _, c := range []struct {
		list []stall.Transaction
		want stall.Reason
	}{
		{[]stall.Transaction{one(stall.OpenOngoing, "g-a")},
			stall.Reason{Class: stall.OpenOngoing,
				Detail: "stands behind a transaction of g-a: why"}},
		{[]stall.Transaction{one(stall.OpenOngoing, "g-a"), one(stall.HangingOwn, "g-b")},
			stall.Reason{Class: stall.HangingOwn,
				Detail: "stands behind a transaction of g-b: why"}},
		{[]stall.Transaction{one(stall.HangingLost, ""), one(stall.HangingOwn, "g-b")},
			stall.Reason{Class: stall.HangingLost,
				Detail: "stands behind a transaction of an unknown producer: why"}},
	} {
		if got := (stall.Facts{Transactions: c.list}).Reason(); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}
