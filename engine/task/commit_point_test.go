package task_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
	"chargestream/internal/seeded"
)

// tallied is a processor of several tables that does all that a fold, a timer and a flush may do:
// windows of each key, how many were closed of it and of all keys of a letter, and a row that is
// derived of a key's windows.
func tallied() *task.Processor {
	open, closed, derived := windowsTable(), plain("closed"), plain("derived")
	fire := open.Fire
	add := func(ctx *task.Context, key string) error {
		row, err := closed.Edit(ctx, key)
		if err == nil {
			*row += "x"
		}
		return err
	}
	forget := func(ctx *task.Context, key string) error { // a deleted row is not flushed
		ctx.Emit("state", key, nil)
		return derived.Delete(ctx, key)
	}
	open.Fire = func(ctx *task.Context, key string, w *windows, now int64) error {
		if err := fire(ctx, key, w, now); err != nil {
			return err
		}
		if len(w.counts) == 0 {
			if err := forget(ctx, key); err != nil {
				return err
			}
		}
		return errors.Join(add(ctx, key), add(ctx, key[:1]+"/all"))
	}
	open.Flush = func(ctx *task.Context, key string, w *windows) error {
		ctx.Emit("state", key, appendWindows(nil, w))
		return set(derived, key, fmt.Sprint(len(w.counts)))(ctx)
	}
	closed.Flush = func(ctx *task.Context, key string, row *string) error {
		ctx.Emit("state", "closed "+key, []byte(*row))
		return nil
	}
	p := windowedCountOf(open)
	p.Tables = append(p.Tables, closed, derived)
	p.Outputs = append(p.Outputs, task.Output{Topic: "state", Newest: true})
	fold := p.Fold
	p.Fold = func(ctx *task.Context, m *task.Message) error {
		ctx.Emit("closed", m.Key, []byte("folded"))
		if string(m.Value) == "clear" {
			return errors.Join(fold(ctx, m), forget(ctx, m.Key))
		}
		return fold(ctx, m)
	}
	return p
}

// outcome is what a run leaves: rows, each record of the one output, and the last of each key of
// the other.
type outcome struct {
	rows  map[string]map[string][]byte
	sent  []string
	state map[string]string
	more  int // records of state
}

// run folds records with commits where commit says, and at the end.
func run(t *testing.T, p *task.Processor, list []task.Message, commit func() bool) outcome {
	t.Helper()
	d, err := task.NewDriver(1, p)
	mustDo(t, err)
	d.CommitEvery = 0
	o := outcome{state: map[string]string{}, rows: map[string]map[string][]byte{}}
	d.OnRecord = func(topic, key string, value []byte, headers []task.Header) {
		if topic == "closed" {
			o.sent = append(o.sent, fmt.Sprintf("%s %s @%d", key, value,
				task.ArrivalOf(headers, -1)))
			return
		}
		o.more++
		if o.state[key] = string(value); value == nil {
			delete(o.state, key)
		}
	}
	for _, m := range list {
		mustDo(t, d.Feed(m))
		if commit() {
			mustDo(t, d.Commit())
		}
	}
	mustDo(t, d.Commit())
	for _, table := range p.Tables {
		o.rows[table.TableName()] = d.Rows(table.TableName())
	}
	return o
}

// TestCommitPointsDoNotShow: the same records give the same rows, the same records of an output of
// which each counts, and the same newest ones of another, wherever commits lie between them.
func TestCommitPointsDoNotShow(t *testing.T) {
	r := seeded.Rand(t)
	for range 20 {
		var list []task.Message
		at := int64(20_000)
		for range 400 {
			at += r.Int64N(400)
			m := task.Message{Topic: "clicks", Key: fmt.Sprintf("%c%d", 'a'+r.IntN(2), r.IntN(6)),
				HasKey: true, Arrival: at - r.Int64N(15_000)}
			switch r.IntN(20) {
			case 0:
				m.Value = []byte("clear")
			case 1:
				m.Value = []byte("late")
			case 2:
				m = task.Message{Topic: "clock", Arrival: at}
			}
			list = append(list, m)
		}
		once := run(t, tallied(), list, func() bool { return false })
		if len(once.sent) < 420 || len(once.rows["closed"]) == 0 || len(once.state) == 0 {
			t.Fatalf("%d records, %d rows, %d states: this shows nothing", len(once.sent),
				len(once.rows["closed"]), len(once.state))
		}
		for name, commit := range map[string]func() bool{
			"always":    func() bool { return true },
			"often":     func() bool { return r.IntN(3) == 0 },
			"sometimes": func() bool { return r.IntN(60) == 0 },
		} {
			got := run(t, tallied(), list, commit)
			if diff := cmp.Diff(once.rows, got.rows); diff != "" {
				t.Errorf("%s: rows (-one commit +several):\n%s", name, diff)
			}
			if !slices.Equal(once.sent, got.sent) {
				t.Errorf("%s: records\n%s\nand with one commit\n%s", name,
					strings.Join(got.sent, "\n"), strings.Join(once.sent, "\n"))
			}
			if diff := cmp.Diff(once.state, got.state); diff != "" {
				t.Errorf("%s: newest (-one commit +several):\n%s", name, diff)
			}
			if got.more < once.more || name == "always" && got.more == once.more {
				t.Errorf("%s: %d newest records, with one commit %d", name, got.more, once.more)
			}
		}
		if t.Failed() {
			return
		}
	}
}
