package task

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"chargestream/internal/seeded"
)

// drops is what a backend knows: rows as they were handed over.
type drops struct {
	rows []map[string][]byte
	gets int
}

// Get implements Backend.
func (d *drops) Get(table int, key string) ([]byte, error) {
	d.gets++
	return d.rows[table][key], nil
}

// Lookup implements Backend.
func (d *drops) Lookup(string, string) ([]byte, error) { return nil, nil }

// keep takes the rows of a commit.
func (d *drops) keep(u Changes) {
	for table, rows := range u.Rows {
		for _, r := range rows {
			if d.rows[table][r.Key] = r.Bytes; r.Bytes == nil {
				delete(d.rows[table], r.Key)
			}
		}
	}
}

// padded is a table of numbers whose rows are large.
func padded(name string, pad int) *Table[int] {
	fill := strings.Repeat("x", pad)
	return &Table[int]{Name: name,
		Decode: func(_ string, row []byte) (*int, error) {
			n, err := strconv.Atoi(strings.TrimRight(string(row), "x"))
			return &n, err
		},
		Append: func(buf []byte, n *int) []byte {
			return append(strconv.AppendInt(buf, int64(*n), 10), fill...)
		}}
}

// generation is what each generation of rows of a loaded task may take.
const generation = 2 << 20

// loaded is a task whose fold is a function of the test, with a small cache.
func loaded(t *testing.T, do *func(ctx *Context) error, tables ...Declared) (*Task, *drops) {
	t.Helper()
	p := &Processor{Group: tables[0].TableName(), Inputs: []string{"in"}, Clock: "clock",
		Tables: tables, Fold: func(ctx *Context, _ *Message) error { return (*do)(ctx) }}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	back := &drops{}
	for range tables {
		back.rows = append(back.rows, map[string][]byte{})
	}
	k := New(p, 0, 1, back, Metrics{})
	k.SetCache(2 * generation)
	return k, back
}

func process(t *testing.T, k *Task, topic string, arrival int64) {
	t.Helper()
	m := &Message{Topic: topic, Key: "k", HasKey: true, Arrival: arrival}
	if done, err := k.Process(m); err != nil || !done {
		t.Fatal(done, err)
	}
}

func commit(t *testing.T, k *Task) Changes {
	t.Helper()
	u, err := k.Cut()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// weigh is what the rows of a cache take, each once, by the same estimate.
func weigh(c *cache) int {
	bytes, all := 0, map[string]*entry{}
	maps.Copy(all, c.old)
	maps.Copy(all, c.young)
	for _, e := range all {
		bytes += e.bytes
	}
	return bytes
}

// TestCacheThatIsFullLosesNothing changes, deletes and reads rows at random, of many more than fit
// into the cache, and holds them against plain maps. What is cut is handed to the backend only
// with the next cut, as a commit takes a while.
func TestCacheThatIsFullLosesNothing(t *testing.T) {
	const pad, keys = 8 << 10, 1_000
	r := seeded.Rand(t)
	tables := []*Table[int]{padded("a", pad), padded("b", pad)}
	var do func(ctx *Context) error
	k, back := loaded(t, &do, tables[0], tables[1])
	model := []map[string]int{{}, {}}
	n, key, step := 0, "", 0
	do = func(ctx *Context) error {
		want, there := model[n][key]
		row, err := tables[n].Get(ctx, key)
		if err != nil || (row != nil) != there || there && *row != want {
			t.Fatalf("step %d: row %s of table %d is %v (%v), want %d", step, key, n, row, err,
				want)
		}
		switch r.IntN(4) {
		case 0:
			return nil
		case 1:
			delete(model[n], key)
			return tables[n].Delete(ctx, key)
		}
		if row, err = tables[n].Edit(ctx, key); err == nil {
			*row++
			model[n][key] = *row
		}
		return err
	}
	var cut Changes
	for ; step < 8_000; step++ {
		n, key = r.IntN(2), fmt.Sprint(r.IntN(keys))
		process(t, k, "in", 1)
		if r.IntN(40) == 0 {
			back.keep(cut)
			cut = commit(t, k)
		}
	}
	back.keep(cut)
	back.keep(commit(t, k))
	for n := range tables {
		for key, want := range model[n] {
			row, err := tables[n].Decode(key, back.rows[n][key])
			if err != nil || *row != want {
				t.Errorf("row %s of table %d is %v (%v), want %d", key, n, row, err, want)
			}
		}
		if len(back.rows[n]) != len(model[n]) {
			t.Errorf("table %d has %d rows, want %d", n, len(back.rows[n]), len(model[n]))
		}
		if sum := len(model[n]) * rowFactor * pad; sum < 3*generation {
			t.Errorf("all rows take %d bytes and fit into the cache: this shows nothing", sum)
		}
	}
	if back.gets < 3*keys {
		t.Errorf("%d rows were read: none was forgotten", back.gets)
	}
}

// TestCacheIsBounded, of the rows of all tables, whether they change or are only read.
func TestCacheIsBounded(t *testing.T) {
	const pad = 16 << 10
	for name, use := range map[string]func(table *Table[int], ctx *Context, key string) error{
		"changed": func(table *Table[int], ctx *Context, key string) error {
			_, err := table.Edit(ctx, key)
			return err
		},
		"read": func(table *Table[int], ctx *Context, key string) error {
			_, err := table.Get(ctx, key)
			return err
		},
	} {
		tables := []*Table[int]{padded("a", pad), padded("b", pad)}
		var do func(ctx *Context) error
		k, back := loaded(t, &do, tables[0], tables[1])
		for n := range 400 {
			for table := range tables {
				back.rows[table][fmt.Sprint(n)] = tables[0].Append(nil, &n)
			}
		}
		largest := 0
		for n := range 400 {
			do = func(ctx *Context) error { return use(tables[n%2], ctx, fmt.Sprint(n)) }
			process(t, k, "in", 1)
			commit(t, k)
			sum := weigh(k.caches[0]) + weigh(k.caches[1])
			if sum > 2*generation+8*pad {
				t.Fatalf("%s: after %d rows the cache has %d bytes", name, n+1, sum)
			}
			largest = max(largest, sum)
		}
		if largest < generation {
			t.Errorf("%s: the cache holds %d bytes at most", name, largest)
		}
	}
}

// TestSetCache: from the next commit on it has the size that is set.
func TestSetCache(t *testing.T) {
	table := padded("t", 16<<10)
	var do func(ctx *Context) error
	k, back := loaded(t, &do, table)
	use := func(from, to int) {
		for n := from; n < to; n++ {
			do = func(ctx *Context) error { _, err := table.Edit(ctx, fmt.Sprint(n)); return err }
			process(t, k, "in", 1)
			back.keep(commit(t, k))
		}
	}
	use(0, 400)
	small := weigh(k.caches[0])
	k.SetCache(8 * generation)
	use(400, 1_000)
	if large := weigh(k.caches[0]); large < 3*small || large > 9*generation {
		t.Errorf("with four times the cache %d bytes are kept, before %d", large, small)
	}
	k.SetCache(generation)
	use(1_000, 1_100)
	if again := weigh(k.caches[0]); again > 2*generation {
		t.Errorf("with a small cache again %d bytes are kept", again)
	}
}

// TestCacheKeepsWhatIsInUse, however much else comes and goes.
func TestCacheKeepsWhatIsInUse(t *testing.T) {
	table := padded("t", 16<<10)
	var do func(ctx *Context) error
	k, back := loaded(t, &do, table)
	for n := range 500 {
		do = func(ctx *Context) error {
			for _, key := range []string{fmt.Sprint(n), "hot"} {
				row, err := table.Edit(ctx, key)
				if err != nil {
					return err
				}
				*row++
			}
			return nil
		}
		process(t, k, "in", 1)
		back.keep(commit(t, k))
	}
	if back.gets != 501 {
		t.Errorf("%d rows were read, want 501", back.gets)
	}
	if row, err := table.Decode("hot", back.rows[0]["hot"]); err != nil || *row != 500 {
		t.Errorf("the row that is in use is %v (%v)", row, err)
	}
}

// TestOverdueRowThatWasForgotten: what was put off until a clock record is due still, or not any
// more, though the row fell out of the cache in between.
func TestOverdueRowThatWasForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		at    int64 // when the row is due after it was read again; zero for never
		fired int
	}{
		"never": {0, 0}, "later": {80_000, 0}, "still": {3_000, 1}, "by then": {49_500, 1}} {
		var do func(ctx *Context) error
		rows := padded("t", 0)
		fired := 0
		rows.Due = func(_ string, at *int) int64 { return int64(*at) }
		rows.Fire = func(_ *Context, _ string, at *int, now int64) error {
			if *at == 0 || int64(*at) > now {
				return fmt.Errorf("fired at %d, and due at %d", now, *at)
			}
			fired, *at = fired+1, 0
			return nil
		}
		k, back := loaded(t, &do, rows)
		set := func(at int64) {
			do = func(ctx *Context) error {
				row, err := rows.Edit(ctx, "k")
				if err == nil {
					*row = int(at)
				}
				return err
			}
			process(t, k, "in", 1)
			back.keep(commit(t, k))
		}
		process(t, k, "clock", 50_000)
		set(2_000)
		for range 3 { // generations
			k.caches[0].age()
		}
		if len(k.caches[0].young)+len(k.caches[0].old) != 0 {
			t.Fatal("the row is in the cache still")
		}
		set(c.at)
		if fired != 0 {
			t.Errorf("%s: it is fired before the clock", name)
		}
		process(t, k, "clock", 50_500)
		if fired != c.fired {
			t.Errorf("%s: it is fired %d times, want %d", name, fired, c.fired)
		}
	}
}

// TestOverdueRowThatWasForgottenAndRead: a row that was put off and fell out of the cache is read
// before the clock, and then another one's Fire makes it undue. It is not fired.
func TestOverdueRowThatWasForgottenAndRead(t *testing.T) {
	var do func(ctx *Context) error
	table := padded("t", 0)
	fired := ""
	table.Due = func(_ string, at *int) int64 { return int64(*at) }
	table.Fire = func(ctx *Context, key string, at *int, now int64) error {
		if *at == 0 || int64(*at) > now {
			return fmt.Errorf("%s is fired at %d, and due at %d", key, now, *at)
		}
		fired += key
		*at = 0
		other, err := table.Edit(ctx, "b")
		if err == nil {
			*other = 0
		}
		return err
	}
	k, back := loaded(t, &do, table)
	process(t, k, "clock", 50_000)
	do = func(ctx *Context) error {
		for n, key := range []string{"a", "b"} {
			row, err := table.Edit(ctx, key)
			if err != nil {
				return err
			}
			*row = 1_000 + n
		}
		return nil
	}
	process(t, k, "in", 1)
	back.keep(commit(t, k))
	for range 3 { // generations
		k.caches[0].age()
	}
	do = func(ctx *Context) error {
		row, err := table.Get(ctx, "b")
		if err == nil && *row != 1_001 {
			t.Errorf("b is read as %d", *row)
		}
		return err
	}
	process(t, k, "in", 1)
	process(t, k, "clock", 50_000)
	if fired != "a" {
		t.Errorf("fired are %q, want a only", fired)
	}
}
