package task_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/engine/task"
)

// kept is a Backend in memory.
type kept struct {
	rows []map[string][]byte
	gets int
}

// Get implements task.Backend.
func (k *kept) Get(table int, key string) ([]byte, error) {
	k.gets++
	return k.rows[table][key], nil
}

// Lookup implements task.Backend.
func (k *kept) Lookup(topic, key string) ([]byte, error) { return []byte(topic + " " + key), nil }

// keep takes the rows of a commit.
func (k *kept) keep(u task.Changes) {
	for table, rows := range u.Rows {
		for _, r := range rows {
			if r.Bytes == nil {
				delete(k.rows[table], r.Key)
			} else {
				k.rows[table][r.Key] = r.Bytes
			}
		}
	}
}

// single is a task whose folds are functions of the test.
type single struct {
	*task.Task
	back *kept
	do   func(ctx *task.Context) error
}

// alone makes the only task of a processor of tables.
func alone(t testing.TB, change func(p *task.Processor), tables ...task.Declared) *single {
	t.Helper()
	s := &single{back: &kept{}}
	p := &task.Processor{Group: tables[0].TableName(), Inputs: []string{"in"}, Clock: "clock",
		Tables: tables, Outputs: []task.Output{{Topic: "out"}, {Topic: "state", Newest: true}},
		Fold: func(ctx *task.Context, _ *task.Message) error { return s.do(ctx) }}
	if change != nil {
		change(p)
	}
	mustDo(t, p.Check())
	for range tables {
		s.back.rows = append(s.back.rows, map[string][]byte{})
	}
	s.Task = task.New(p, 0, 1, s.back, task.Metrics{})
	return s
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// process takes one record, with as many commits as it needs.
func (s *single) process(m *task.Message) error {
	for {
		done, err := s.Process(m)
		if err != nil || done {
			return err
		}
		u, err := s.Cut()
		if err != nil {
			return err
		}
		s.back.keep(u)
	}
}

// try folds one record by a function.
func (s *single) try(arrival int64, do func(ctx *task.Context) error) error {
	s.do = do
	return s.process(&task.Message{Topic: "in", Key: "k", HasKey: true, Arrival: arrival})
}

func (s *single) fold(t testing.TB, arrival int64, do func(ctx *task.Context) error) {
	t.Helper()
	mustDo(t, s.try(arrival, do))
}

func (s *single) clock(t testing.TB, now int64) {
	t.Helper()
	mustDo(t, s.process(&task.Message{Topic: "clock", Arrival: now}))
}

// commit ends a commit interval, and keeps its rows.
func (s *single) commit(t testing.TB) task.Changes {
	t.Helper()
	u, err := s.Cut()
	mustDo(t, err)
	s.back.keep(u)
	return u
}

// set puts a text as a row; an empty one deletes it.
func set(table *task.Table[string], key, text string) func(ctx *task.Context) error {
	return func(ctx *task.Context) error {
		if text == "" {
			return table.Delete(ctx, key)
		}
		row, err := table.Edit(ctx, key)
		if err == nil {
			*row = text
		}
		return err
	}
}

// all does one after another.
func all(each ...func(ctx *task.Context) error) func(ctx *task.Context) error {
	return func(ctx *task.Context) error {
		for _, do := range each {
			if err := do(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

// rowsOf are the rows of a commit as "key=row", by table, in the order in which they come.
func rowsOf(u task.Changes) []string {
	var all []string
	for table, rows := range u.Rows {
		for _, r := range rows {
			text := "deleted"
			if r.Bytes != nil {
				text = string(r.Bytes)
			}
			all = append(all, fmt.Sprintf("%d %s=%s", table, r.Key, text))
		}
	}
	return all
}

func outOf(u task.Changes) []string {
	var all []string
	for i := range u.Out {
		r := &u.Out[i]
		all = append(all, fmt.Sprintf("%s %s=%s @%d", r.Topic, r.Key, r.Value,
			task.ArrivalOf(r.Headers, -1)))
	}
	return all
}

func expect(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestCutTakesTheRowsOfAllTables, deleted ones included, each once, and no more than those.
func TestCutTakesTheRowsOfAllTables(t *testing.T) {
	a, b, c := plain("a"), plain("b"), plain("c")
	s := alone(t, nil, a, b, c)
	s.fold(t, 1, all(set(a, "old", "1"), set(c, "old", "1")))
	expect(t, "rows", rowsOf(s.commit(t)), "0 old=1", "2 old=1")
	if u := s.commit(t); len(rowsOf(u))+len(u.Out) != 0 || len(u.Rows) != 3 {
		t.Errorf("a commit of nothing has %v and %v", rowsOf(u), u.Out)
	}
	s.fold(t, 2, all(set(a, "x", "1"), set(b, "x", "2"), set(b, "gone", "1")))
	s.fold(t, 3, all(set(c, "old", ""), set(a, "x", "3"), set(b, "gone", ""),
		set(b, "absent", ""), func(ctx *task.Context) error {
			if row, err := a.Get(ctx, "old"); err != nil || *row != "1" {
				t.Errorf("read %v, %v", row, err)
			}
			if row, err := c.Get(ctx, "old"); err != nil || row != nil {
				t.Errorf("a deleted row is read as %v, %v", row, err)
			}
			ctx.Emit("out", "k", []byte("v"))
			return nil
		}))
	if s.Weight() == 0 {
		t.Error("the commit weighs nothing")
	}
	u := s.commit(t)
	expect(t, "rows", rowsOf(u), "0 x=3", "1 x=2", "1 gone=deleted", "2 old=deleted")
	expect(t, "records", outOf(u), "out k=v @3")
	if s.Weight() != 0 {
		t.Errorf("the next commit weighs %d", s.Weight())
	}
	if u := s.commit(t); len(rowsOf(u))+len(u.Out) != 0 {
		t.Errorf("they come again: %v and %v", rowsOf(u), u.Out)
	}
}

// TestRowsOfAUnitStayAsTheyWere when the task goes on: they are sent while it does.
func TestRowsOfAUnitStayAsTheyWere(t *testing.T) {
	a := plain("a")
	s := alone(t, nil, a)
	large := strings.Repeat("x", 100_000)
	s.fold(t, 1, all(set(a, "k", "first"), set(a, "large", large), set(a, "l", "first")))
	u := s.commit(t)
	s.fold(t, 2, all(set(a, "k", "other"), set(a, "large", "other"), set(a, "l", "other")))
	s.commit(t)
	expect(t, "rows", rowsOf(u), "0 k=first", "0 large="+large, "0 l=first")
}

// counting is a table of numbers that counts its calls.
func counting(name string, decoded, encoded *int) *task.Table[int] {
	return &task.Table[int]{Name: name,
		Decode: func(_ string, row []byte) (*int, error) {
			*decoded++
			n, err := strconv.Atoi(string(row))
			return &n, err
		},
		Append: func(buf []byte, n *int) []byte {
			*encoded++
			return strconv.AppendInt(buf, int64(*n), 10)
		}}
}

// TestRowIsDecodedAndEncodedOnce a commit, however often it is folded into; one that is read only
// is not encoded, and one that is in use is not read again.
func TestRowIsDecodedAndEncodedOnce(t *testing.T) {
	var decoded, encoded int
	table := counting("t", &decoded, &encoded)
	s := alone(t, nil, table)
	s.back.rows[0]["k"], s.back.rows[0]["read"] = []byte("5"), []byte("6")
	for round := range 3 {
		for range 1000 {
			s.fold(t, 1, func(ctx *task.Context) error {
				n, err := table.Edit(ctx, "k")
				if err != nil {
					return err
				}
				*n++
				read, err := table.Get(ctx, "read")
				if err == nil && *read != 6 {
					t.Errorf("read %d", *read)
				}
				return err
			})
		}
		if encoded != round {
			t.Errorf("encoded %d times before commit %d", encoded, round)
		}
		expect(t, "rows", rowsOf(s.commit(t)), fmt.Sprint("0 k=", 5+1000*(round+1)))
		if encoded != round+1 || decoded != 2 || s.back.gets != 2 {
			t.Errorf("commit %d: encoded %d times, decoded %d, read %d times", round, encoded,
				decoded, s.back.gets)
		}
	}
}

// TestRowThatIsNotThere is asked for once, and is not made by a Get.
func TestRowThatIsNotThere(t *testing.T) {
	table := plain("t")
	s := alone(t, nil, table)
	for range 10 {
		s.fold(t, 1, func(ctx *task.Context) error {
			row, err := table.Get(ctx, "absent")
			if row != nil {
				t.Errorf("it is %q", *row)
			}
			return err
		})
	}
	if s.back.gets != 1 {
		t.Errorf("read %d times", s.back.gets)
	}
	expect(t, "rows", rowsOf(s.commit(t)))
}

// TestEmptyRow: a row that is encoded as nothing is there nevertheless.
func TestEmptyRow(t *testing.T) {
	table := plain("t")
	s := alone(t, nil, table)
	s.fold(t, 1, func(ctx *task.Context) error {
		_, err := table.Edit(ctx, "k")
		return err
	})
	u := s.commit(t)
	expect(t, "rows", rowsOf(u), "0 k=")
	if u.Rows[0][0].Bytes == nil {
		t.Error("it is deleted")
	}
}

// TestRowsThatCannotBe: keys that are the engine's own or empty have no row.
func TestRowsThatCannotBe(t *testing.T) {
	table := plain("t")
	for _, key := range []string{"", "\x00", "\x00progress"} {
		for name, do := range map[string]func(ctx *task.Context) error{
			"edit": set(table, key, "x"), "delete": set(table, key, ""),
			"get": func(ctx *task.Context) error { _, err := table.Get(ctx, key); return err },
		} {
			s := alone(t, nil, table)
			if err := s.try(1, do); !errors.Is(err, task.ErrDeclaration) {
				t.Errorf("%s of %q: error is %v, want ErrDeclaration", name, key, err)
			}
			expect(t, "rows", rowsOf(s.commit(t)))
		}
	}
}

// TestTableOfAnotherProcessor cannot be used by a fold.
func TestTableOfAnotherProcessor(t *testing.T) {
	other := plain("other")
	s := alone(t, nil, plain("t"))
	if err := s.try(1, set(other, "k", "x")); !errors.Is(err, task.ErrDeclaration) {
		t.Errorf("error is %v, want ErrDeclaration", err)
	}
}

// TestRowThatCannotBeDecoded ends the fold, and names the row.
func TestRowThatCannotBeDecoded(t *testing.T) {
	var decoded, encoded int
	table := counting("t", &decoded, &encoded)
	s := alone(t, nil, table)
	s.back.rows[0]["k"] = []byte("no number")
	for range 2 {
		err := s.try(1, func(ctx *task.Context) error { _, err := table.Get(ctx, "k"); return err })
		if !errors.Is(err, strconv.ErrSyntax) ||
			!strings.Contains(err.Error(), `row "k" of table "t"`) {
			t.Errorf("error is %v", err)
		}
	}
}

// TestNewest: of an output of which the newest counts one record of a key is sent a commit, in the
// place of the first and with the value and arrival of the last; of others each is.
func TestNewest(t *testing.T) {
	s := alone(t, nil, plain("t"))
	emit := func(arrival int64, topic, key, value string) {
		t.Helper()
		s.fold(t, arrival, func(ctx *task.Context) error {
			var bytes []byte
			if value != "" {
				bytes = []byte(value)
			}
			ctx.Emit(topic, key, bytes)
			return nil
		})
	}
	for n, topic := range []string{"state", "out", "state", "out", "undeclared", "undeclared"} {
		emit(int64(n), topic, "a", fmt.Sprint(n))
	}
	emit(10, "state", "b", "1")
	emit(11, "state", "a", "")
	emit(12, "state", "b", "a longer value")
	u := s.commit(t)
	expect(t, "records", outOf(u), "state a= @11", "out a=1 @1", "out a=3 @3",
		"undeclared a=4 @4", "undeclared a=5 @5", "state b=a longer value @12")
	if u.Out[0].Value != nil {
		t.Error("a tombstone is none any more")
	}
	emit(13, "state", "a", "again")
	expect(t, "records of the next commit", outOf(s.commit(t)), "state a=again @13")
}

// TestWeight grows with what is sent and with the rows that change, and not with a row that changes
// again or a record that replaces another.
func TestWeight(t *testing.T) {
	table := plain("t")
	s := alone(t, nil, table)
	s.back.rows[0]["k"] = make([]byte, 10_000)
	grows := func(what string, atLeast, atMost int, do func(ctx *task.Context) error) {
		t.Helper()
		was := s.Weight()
		s.fold(t, 1, do)
		if grown := s.Weight() - was; grown < atLeast || grown > atMost {
			t.Errorf("%s: the commit weighs %d more", what, grown)
		}
	}
	emit := func(topic string, bytes int) func(ctx *task.Context) error {
		return func(ctx *task.Context) error {
			ctx.Emit(topic, "k", make([]byte, bytes))
			return nil
		}
	}
	read := func(ctx *task.Context) error { _, err := table.Get(ctx, "k"); return err }
	grows("a row that is read", 0, 0, read)
	grows("a row that is changed", 10_000, 100_000, set(table, "k", "x"))
	grows("a row that is changed again", 0, 0, set(table, "k", "y"))
	grows("a record", 5_000, 6_000, emit("out", 5_000))
	grows("the next", 5_000, 6_000, emit("out", 5_000))
	grows("a newest record", 5_000, 6_000, emit("state", 5_000))
	grows("one that replaces it", 1_000, 1_000, emit("state", 6_000))
	grows("one that is smaller", -5_000, -5_000, emit("state", 1_000))
}

// TestCommitting is called once a commit, before rows are flushed, and may change and emit.
func TestCommitting(t *testing.T) {
	var order []string
	a, b := plain("a"), plain("b")
	b.Flush = func(_ *task.Context, key string, row *string) error {
		order = append(order, "flush "+key+" "+*row)
		return nil
	}
	planted := errors.New("planted")
	fail := false
	s := alone(t, func(p *task.Processor) {
		p.Committing = func(ctx *task.Context) error {
			if fail {
				return planted
			}
			order = append(order, fmt.Sprint("committing @", ctx.Arrival()))
			ctx.Emit("out", "sum", []byte("1"))
			return set(b, "sum", "2")(ctx)
		}
	}, a, b)
	s.fold(t, 7, set(a, "k", "1"))
	s.fold(t, 5, set(b, "k", "1")) // stream time stays
	u := s.commit(t)
	expect(t, "calls", order, "committing @7", "flush k 1", "flush sum 2")
	expect(t, "rows", rowsOf(u), "0 k=1", "1 k=1", "1 sum=2")
	expect(t, "records", outOf(u), "out sum=1 @7")
	fail = true
	if _, err := s.Cut(); !errors.Is(err, planted) {
		t.Errorf("error is %v", err)
	}
}

// TestHeadersOfOthersAreNotTouched: an Emit does not write behind the end of the caller's headers.
func TestHeadersOfOthersAreNotTouched(t *testing.T) {
	s := alone(t, nil, plain("t"))
	mine := slices.Grow([]task.Header{{Key: "a"}}, 4)
	s.fold(t, 1, func(ctx *task.Context) error {
		ctx.Emit("out", "k", nil, mine...)
		ctx.Emit("out", "k", nil, mine...)
		return nil
	})
	s.fold(t, 2, func(ctx *task.Context) error {
		ctx.Emit("out", "k", nil, mine...)
		return nil
	})
	expect(t, "records", outOf(s.commit(t)), "out k= @1", "out k= @1", "out k= @2")
}
