package task_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
)

// translation is two processors: one keeps a dictionary as its table, the other looks words up in
// that table.
func translation() (maker, reader *task.Processor) {
	words := plain("maker")
	maker = &task.Processor{Group: "maker", Inputs: []string{"entries"},
		Tables: []task.Declared{words},
		Fold: func(ctx *task.Context, m *task.Message) error {
			return set(words, m.Key, string(m.Value))(ctx)
		}}
	reader = &task.Processor{Group: "reader", Inputs: []string{"words"},
		Tables: []task.Declared{plain("reader")}, Outputs: []task.Output{{Topic: "echoes"}},
		Lookups: []string{"maker-table"},
		Sources: map[string][]string{"maker-table": {"entries"}},
		Fold: func(ctx *task.Context, m *task.Message) error {
			word, err := ctx.Lookup("maker-table", m.Key)
			if err != nil {
				return err
			}
			ctx.Emit("echoes", m.Key, append([]byte("="), word...))
			return nil
		}}
	return maker, reader
}

// TestDriverLooksUpTablesOfOthers: what one processor sets another sees when it is committed.
func TestDriverLooksUpTablesOfOthers(t *testing.T) {
	maker, reader := translation()
	for what, procs := range map[string][]*task.Processor{
		"maker first": {maker, reader}, "reader first": {reader, maker}} {
		d, err := task.NewDriver(3, procs...)
		mustDo(t, err)
		var got []string
		d.OnRecord = func(_, key string, value []byte, _ []task.Header) {
			got = append(got, key+string(value))
		}
		feed := func(topic, key string, value []byte) {
			mustDo(t, d.Feed(task.Message{Topic: topic, Partition: -1, Key: key, HasKey: true,
				Value: value}))
		}
		feed("words", "one", nil)
		feed("entries", "one", []byte("uno"))
		feed("words", "one", nil)
		feed("words", "\x00progress", nil)
		feed("entries", "one", nil)
		feed("words", "one", nil)
		feed("maker-table", "one", []byte("eins")) // as where the other processor is elsewhere
		feed("words", "one", nil)
		want := []string{"one=", "one=uno", "\x00progress=", "one=", "one=eins"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: emitted (-want +got):\n%s", what, diff)
		}
		d.CommitEvery, got = 0, nil
		feed("entries", "one", []byte("ein"))
		feed("words", "one", nil)
		mustDo(t, d.Commit())
		feed("words", "one", nil)
		mustDo(t, d.Commit())
		if diff := cmp.Diff([]string{"one=eins", "one=ein"}, got); diff != "" {
			t.Errorf("%s: emitted around a commit (-want +got):\n%s", what, diff)
		}
	}
}

// chained is a processor that passes what it folds on to the next topic, and keeps it.
func chained(name string) *task.Processor {
	table := plain(name)
	return &task.Processor{Group: name, Inputs: []string{name},
		Tables:  []task.Declared{table, plain(name + "-empty")},
		Outputs: []task.Output{{Topic: name + "+"}},
		Fold: func(ctx *task.Context, m *task.Message) error {
			ctx.Emit(name+"+", m.Key, append([]byte(nil), m.Value...))
			return set(table, m.Key, fmt.Sprintf("%s@%d", m.Value, m.Offset))(ctx)
		}}
}

// TestDriverCommits when it is called to, or after so many records: before, no row is there and no
// record is sent; then all follows of it, through all processors.
func TestDriverCommits(t *testing.T) {
	for _, every := range []int{0, 1, 3} {
		d := drive(t, 4, chained("a"), chained("a+"))
		d.CommitEvery = every
		for n := range 4 {
			d.feed(t, task.Message{Topic: "a", Partition: -1, Key: "k", HasKey: true,
				Value: fmt.Append(nil, n), Arrival: 5})
			rows := []string{string(d.Rows("a")["k"]), string(d.Rows("a+")["k"])}
			committed := 0
			if every > 0 {
				committed = (n + 1) / every * every
			}
			want := []string{"", ""}
			if last := fmt.Sprintf("%d@%d", committed-1, committed-1); committed > 0 {
				want = []string{last, last}
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("every %d: rows after %d records (-want +got):\n%s", every, n+1, diff)
			}
			if len(d.emitted) != 2*committed {
				t.Errorf("every %d: %d records after %d: %v", every, len(d.emitted), n+1, d.emitted)
			}
		}
		mustDo(t, d.Commit())
		var want []string
		if every == 1 {
			for n := range 4 {
				want = append(want, fmt.Sprintf("a+ k %d @5", n), fmt.Sprintf("a++ k %d @5", n))
			}
			d.expect(t, want...)
		} else if len(d.emitted) != 8 || !strings.HasPrefix(d.emitted[7], "a++ k 3") {
			t.Errorf("every %d: emitted %v", every, d.emitted)
		}
		if rows := d.Rows("a-empty"); len(rows) != 0 {
			t.Errorf("a table that nothing was put into has %v", rows)
		}
		if rows := d.Rows("a"); len(rows) != 1 || string(rows["k"]) != "3@3" {
			t.Errorf("rows are %v", rows)
		}
	}
}

// TestDriverEndsWithAnError of a fold or a commit, and of a declaration.
func TestDriverEndsWithAnError(t *testing.T) {
	planted := errors.New("planted")
	p := chained("a")
	p.Fold = func(*task.Context, *task.Message) error { return planted }
	m := task.Message{Topic: "a", Partition: 2, Offset: 7, Key: "k", HasKey: true}
	d := drive(t, 4, p)
	m.Partition = task.PartitionOf("k", 4)
	if err := d.Feed(m); !errors.Is(err, planted) || !strings.Contains(err.Error(),
		fmt.Sprintf("a/%d@7", m.Partition)) {
		t.Errorf("error of a fold is %v", err)
	}
	p = chained("a")
	p.Committing = func(*task.Context) error { return planted }
	if err := drive(t, 4, p).Feed(m); !errors.Is(err, planted) {
		t.Errorf("error of a commit is %v", err)
	}
	if _, err := task.NewDriver(1, &task.Processor{Group: "g"}); !errors.Is(err,
		task.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}

// TestDescribe names every topic, and what is special of tables and outputs.
func TestDescribe(t *testing.T) {
	p := windowedCount()
	p.Tables = append(p.Tables, plain("other.table"))
	p.Outputs = append(p.Outputs, task.Output{Topic: "state", Newest: true})
	p.Lookups = []string{"maker-table"}
	_, reader := translation()
	want := `processor windows
  input   clicks
  clock   clock
  lookup  maker-table
  table   windows-table (timers)
  table   other.table-table
  output  closed
  output  state (newest of a commit)

processor reader
  input   words
  lookup  maker-table
  table   reader-table
  output  echoes
`
	if diff := cmp.Diff(want, task.Describe(p, reader).String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	want = `flowchart LR
  p_windows[[windows]]
  t_clicks[clicks] --> p_windows
  t_clock[clock] -. time .-> p_windows
  t_maker_table[(maker-table)] -. lookup .-> p_windows
  p_windows --- t_windows_table[(windows-table)]
  p_windows --- t_other_table_table[(other.table-table)]
  p_windows --> t_closed[closed]
  p_windows --> t_state[state]
`
	if diff := cmp.Diff(want, task.Describe(p).Mermaid()); diff != "" {
		t.Errorf("flowchart (-want +got):\n%s", diff)
	}
}

// TestRestored is called for each row that there is when a task begins, of tables with timers and
// without, in the row's partition, and changes nothing.
func TestRestored(t *testing.T) {
	var seen, fired []string
	p, ringing := chained("a"), alarms("ringing", &fired)
	counts := p.Tables[0].(*task.Table[string])
	counts.Restored = func(ctx *task.Context, key string, row *string) {
		seen = append(seen, fmt.Sprintf("%d %s=%s", ctx.Partition(), key, *row))
	}
	ringing.Restored = func(ctx *task.Context, key string, a *alarm) {
		seen = append(seen, fmt.Sprintf("%d %s at %d", ctx.Partition(), key, a.at))
	}
	p.Tables, p.Clock = append(p.Tables, ringing), "clock"
	fold := p.Fold
	p.Fold = func(ctx *task.Context, m *task.Message) error {
		return errors.Join(fold(ctx, m), ring(ringing, m.Key+"!", 5_000)(ctx))
	}
	d := drive(t, 4, p)
	var want, later []string
	for _, key := range []string{"k", "l", "m", "n"} {
		d.feed(t, task.Message{Topic: "a", Partition: -1, Key: key, HasKey: true,
			Value: []byte("v"), Arrival: 1})
		home := task.PartitionOf(key, 4)
		want = append(want, fmt.Sprintf("%d %s=%s", home, key, d.Rows("a")[key]),
			fmt.Sprintf("%d %s! at 5000", home, key))
		later = append(later, fmt.Sprintf("5000 ringing%s! @5000", key))
	}
	expect(t, "restored before a restart", seen)
	rows := 0
	d.OnRow = func(string, int32, task.Row) { rows++ }
	mustDo(t, d.Restart())
	mustDo(t, d.Commit())
	slices.Sort(seen)
	slices.Sort(want)
	expect(t, "restored", seen, want...)
	if rows != 0 {
		t.Errorf("%d rows were written", rows)
	}
	d.tick(t, 5_000+task.FireDelay)
	slices.Sort(fired)
	expect(t, "fired", fired, later...)
}
