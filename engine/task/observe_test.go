package task_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
)

// observed is windowedCount with the hooks of an audit, and what they were called for.
func observed() (*task.Processor, *[]string) {
	p, lines := windowedCount(), &[]string{}
	add := func(format string, args ...any) {
		*lines = append(*lines, fmt.Sprintf(format, args...))
	}
	p.Taking = func(ctx *task.Context, m *task.Message) {
		add("take %s/%d@%d %d", m.Topic, ctx.Partition(), m.Offset, ctx.Arrival())
	}
	p.Firing = func(ctx *task.Context, table, key string, due int64) {
		add("fire %s %s %d %d", table, key, due, ctx.Arrival())
	}
	p.Committing = func(*task.Context) error { add("commit"); return nil }
	return p, lines
}

// TestObservers: an audit sees each record before what it causes, clock records included, and each
// row before it is fired, with the moment that it was due at.
func TestObservers(t *testing.T) {
	p, lines := observed()
	d, err := task.NewDriver(1, p)
	mustDo(t, err)
	d.CommitEvery = 0
	d.OnRow = func(topic string, partition int32, row task.Row) {
		*lines = append(*lines,
			fmt.Sprintf("row %s/%d %s=%s", topic, partition, row.Key, row.Bytes))
	}
	click := task.Message{Topic: "clicks", Key: "a", HasKey: true, Arrival: 1000}
	mustDo(t, d.Feed(click))
	click.Arrival, click.Key = 14_000, "b"
	mustDo(t, d.Feed(click))
	mustDo(t, d.Tick(30_000))
	want := []string{"take clicks/0@0 1000", "take clicks/0@1 14000", "fire windows a 12000 13000",
		"take clock/0@0 30000", "fire windows b 22000 29000", "commit", "row windows-table/0 a=",
		"row windows-table/0 b="}
	if diff := cmp.Diff(want, *lines); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

// TestMisplacedRecordsAreNotTaken: a record that is sent to its own partition is taken there only.
func TestMisplacedRecordsAreNotTaken(t *testing.T) {
	p, lines := observed()
	d, err := task.NewDriver(2, p)
	mustDo(t, err)
	home := task.PartitionOf("a", 2)
	mustDo(t, d.Feed(task.Message{Topic: "clicks", Partition: 1 - home, Key: "a", HasKey: true,
		Arrival: 5}))
	want := fmt.Sprintf("take clicks/%d@0 5", home)
	if len(*lines) != 3 || (*lines)[1] != want {
		t.Errorf("observed %q, want %q between two commits", *lines, want)
	}
}

// TestDriverRestarts: rows and timers are there after a restart, stream time is not.
func TestDriverRestarts(t *testing.T) {
	p, lines := observed()
	d, err := task.NewDriver(1, p)
	mustDo(t, err)
	var streamTimes []int64
	fold := p.Fold
	p.Fold = func(ctx *task.Context, m *task.Message) error {
		streamTimes = append(streamTimes, ctx.StreamTime())
		return fold(ctx, m)
	}
	d.CommitEvery = 0
	click := task.Message{Topic: "clicks", Key: "a", HasKey: true, Arrival: 9000}
	mustDo(t, d.Feed(click))
	mustDo(t, d.Restart())
	click.Arrival = 8000
	mustDo(t, d.Feed(click))
	mustDo(t, d.Tick(30_000))
	if diff := cmp.Diff([]int64{9000, 8000}, streamTimes); diff != "" {
		t.Errorf("stream times (-want +got):\n%s", diff)
	}
	want := []string{"take clicks/0@0 9000", "commit", "take clicks/0@1 8000",
		"take clock/0@0 30000", "fire windows a 12000 29000", "commit"}
	if diff := cmp.Diff(want, *lines); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}
