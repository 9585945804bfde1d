package task_test

import (
	"fmt"
	"strconv"
	"testing"

	"chargestream/engine/task"
	"chargestream/internal/seeded"
)

// alarm is a row that is due at a time; zero for never.
type alarm struct{ at int64 }

// alarms is a table of alarms that notes in fired which go off.
func alarms(name string, fired *[]string) *task.Table[alarm] {
	return &task.Table[alarm]{Name: name,
		Decode: func(_ string, row []byte) (*alarm, error) {
			at, err := strconv.ParseInt(string(row), 10, 64)
			return &alarm{at}, err
		},
		Append: func(buf []byte, a *alarm) []byte { return strconv.AppendInt(buf, a.at, 10) },
		Due:    func(_ string, a *alarm) int64 { return a.at },
		Fire: func(_ *task.Context, key string, a *alarm, now int64) error {
			if a.at == 0 || a.at > now {
				return fmt.Errorf("%s is fired at %d, and due at %d", key, now, a.at)
			}
			*fired = append(*fired, fmt.Sprintf("%d %s%s @%d", a.at, name, key, now))
			a.at = 0
			return nil
		}}
}

func ring(table *task.Table[alarm], key string, at int64) func(ctx *task.Context) error {
	return func(ctx *task.Context) error {
		a, err := table.Edit(ctx, key)
		if err == nil {
			a.at = at
		}
		return err
	}
}

// TestTimersOfSeveralTables fire in the order of due time, table and key, whatever moves time on.
func TestTimersOfSeveralTables(t *testing.T) {
	ordered := []string{"1000 b1 @%d", "2000 a1 @%d", "2000 a2 @%d", "2000 b1.5 @%d",
		"2000 c0 @%d", "3000 a0 @%d"}
	for name, x := range map[string]struct {
		at   int64 // arrival of the record that sets the alarms
		fire func(s *single)
		now  int64
	}{
		"clock":    {1, func(s *single) { s.clock(t, 9_000) }, 8_000},
		"record":   {1, func(s *single) { s.fold(t, 9_000, all()) }, 8_000},
		"itself":   {9_000, func(*single) {}, 8_000},
		"put off":  {1, func(s *single) { s.clock(t, 9_500) }, 8_500},
		"restored": {1, func(s *single) { s.clock(t, 9_000) }, 8_000},
	} {
		var fired, want []string
		a, b, c := alarms("a", &fired), alarms("b", &fired), alarms("c", &fired)
		set := all(ring(c, "0", 2_000), ring(a, "2", 2_000), ring(b, "1.5", 2_000),
			ring(a, "0", 3_000), ring(b, "never", 0), ring(a, "1", 2_000), ring(b, "1", 1_000),
			ring(c, "later", 20_000))
		s := alone(t, nil, a, b, c)
		if name == "put off" {
			s.clock(t, 9_000)
		}
		s.fold(t, x.at, set)
		s.commit(t)
		if name == "restored" {
			s = restored(t, s.back, a, b, c)
		}
		if name != "itself" {
			expect(t, name+": fired before", fired)
		}
		x.fire(s)
		for _, text := range ordered {
			want = append(want, fmt.Sprintf(text, x.now))
		}
		expect(t, name+": fired", fired, want...)
		s.clock(t, 9_600)
		expect(t, name+": fired again", fired, want...)
		s.clock(t, 21_000)
		expect(t, name+": fired at last", fired[len(want):], "20000 clater @20000")
	}
}

// restored is a task of the same tables with the rows of another, as after a restart.
func restored(t testing.TB, back *kept, tables ...task.Declared) *single {
	t.Helper()
	s := alone(t, nil, tables...)
	s.back.rows = back.rows
	for table, rows := range back.rows {
		for key, row := range rows {
			mustDo(t, s.Index(table, key, row))
		}
	}
	return s
}

// TestIndexOfABadRow is an error; of a table without timers no row is read.
func TestIndexOfABadRow(t *testing.T) {
	var fired []string
	var decoded, encoded int
	s := alone(t, nil, alarms("a", &fired), counting("b", &decoded, &encoded))
	if err := s.Index(0, "k", []byte("bad")); err == nil {
		t.Error("a row that cannot be read is indexed")
	}
	mustDo(t, s.Index(1, "k", []byte("bad")))
	if decoded != 0 {
		t.Error("a row without timers is read")
	}
}

// TestFireMayMakeOthersDue: they are fired within the same step, those that were due before among
// them, and each with the row that it has then.
func TestFireMayMakeOthersDue(t *testing.T) {
	var fired []string
	a, b := alarms("a", &fired), alarms("b", &fired)
	fire := a.Fire
	a.Fire = func(ctx *task.Context, key string, x *alarm, now int64) error {
		if err := fire(ctx, key, x, now); err != nil {
			return err
		}
		switch key {
		case "chain":
			return all(ring(b, "past", 500), ring(b, "next", 4_000), ring(b, "future", 9_999))(ctx)
		case "disarm":
			return all(ring(b, "off", 0), drop(b, "dropped"))(ctx)
		case "again":
			x.at = now + 1
		}
		return nil
	}
	s := alone(t, nil, a, b)
	s.fold(t, 1, all(ring(a, "chain", 1_000), ring(a, "disarm", 2_000), ring(b, "off", 3_000),
		ring(b, "dropped", 3_000), ring(b, "stays", 3_000), ring(a, "again", 5_000)))
	s.clock(t, 7_000)
	expect(t, "fired", fired, "1000 achain @6000", "500 bpast @6000", "2000 adisarm @6000",
		"3000 bstays @6000", "4000 bnext @6000", "5000 aagain @6000")
	fired = nil
	s.clock(t, 7_001)
	expect(t, "fired in the next step", fired, "6001 aagain @6001")
}

// TestTimersThatACommitCannotHold: so much is due that it takes several commits to do it. Each row
// fires once, in order; the record that moved time on is taken once, and folded after all of them.
func TestTimersThatACommitCannotHold(t *testing.T) {
	const large, commitMax = 200 << 10, 8 << 20
	for _, topic := range []string{"in", "clock"} {
		var fired, took []string
		a, b := alarms("a", &fired), alarms("b", &fired)
		fire := a.Fire
		a.Fire = func(ctx *task.Context, key string, x *alarm, now int64) error {
			ctx.Emit("out", key, make([]byte, large))
			return fire(ctx, key, x, now)
		}
		s := alone(t, func(p *task.Processor) {
			p.Taking = func(_ *task.Context, m *task.Message) {
				took = append(took, fmt.Sprint(m.Topic, m.Offset))
			}
		}, a, b)
		var want []string
		for n := range 150 {
			key := fmt.Sprintf("%03d", n)
			s.fold(t, 1, all(ring(a, key, int64(2_000+n)), ring(b, key, int64(2_000+n))))
			want = append(want, fmt.Sprintf("%d a%s @49000", 2_000+n, key),
				fmt.Sprintf("%d b%s @49000", 2_000+n, key))
		}
		s.commit(t)
		took = nil
		s.do = func(*task.Context) error { fired = append(fired, "folded"); return nil }
		m := &task.Message{Topic: topic, Offset: 7, Key: "k", HasKey: true, Arrival: 50_000}
		commits := 0
		for done := false; !done; commits++ {
			var err error
			done, err = s.Process(m)
			mustDo(t, err)
			bytes := 0
			for _, r := range s.commit(t).Out {
				bytes += len(r.Value)
			}
			if bytes > commitMax+large || !done && bytes < commitMax/2 {
				t.Errorf("%s: a commit has %d bytes of output (done %v)", topic, bytes, done)
			}
		}
		if topic == "in" {
			want = append(want, "folded")
		}
		expect(t, topic+": fired", fired, want...)
		expect(t, topic+": taken", took, topic+"7")
		if commits < 150*large/commitMax {
			t.Errorf("%s: %d commits", topic, commits)
		}
	}
}

// TestOverdueRowThatAnotherMadeUndue: of rows that were put off, the first that fires changes
// others.
func TestOverdueRowThatAnotherMadeUndue(t *testing.T) {
	var fired []string
	a := alarms("a", &fired)
	fire := a.Fire
	a.Fire = func(ctx *task.Context, key string, x *alarm, now int64) error {
		if err := fire(ctx, key, x, now); err != nil || key != "first" {
			return err
		}
		return all(ring(a, "off", 0), ring(a, "later", 60_000), drop(a, "gone"),
			ring(a, "other", 2_000))(ctx)
	}
	s := alone(t, nil, a)
	s.clock(t, 50_000)
	s.fold(t, 1, all(ring(a, "first", 1_000), ring(a, "off", 1_000), ring(a, "later", 1_000),
		ring(a, "gone", 1_000), ring(a, "other", 1_000), ring(a, "untouched", 1_000)))
	expect(t, "fired at once", fired)
	s.clock(t, 50_000)
	expect(t, "fired", fired, "1000 afirst @49000", "1000 auntouched @49000", "2000 aother @49000")
	fired = nil
	s.clock(t, 61_000)
	expect(t, "fired later", fired, "60000 alater @60000")
}

// ringing is what rings when, by table and key, as plain maps.
type ringing []map[string]int64

// pass takes what rings until a stream time, in its order, as a Fire of alarms emits it.
func (m ringing) pass(now int64) (fired []string) {
	at := now - task.FireDelay
	for {
		first, from := "", -1
		for n := range m {
			for key, when := range m[n] {
				if when <= at && (from < 0 || when < m[from][first] ||
					when == m[from][first] && (n < from || n == from && key < first)) {
					first, from = key, n
				}
			}
		}
		if from < 0 {
			return fired
		}
		fired = append(fired, fmt.Sprintf("%d %c%s @%d", m[from][first], 'a'+from, first, at))
		delete(m[from], first)
	}
}

// TestTimersAgainstModel sets, changes and drops alarms of several tables, with commits and
// restarts between, and holds what is fired against the plainest way to find it.
func TestTimersAgainstModel(t *testing.T) {
	r := seeded.Rand(t)
	var fired, want []string
	tables := []*task.Table[alarm]{alarms("a", &fired), alarms("b", &fired)}
	s := alone(t, nil, tables[0], tables[1])
	model, now, total := ringing{{}, {}}, int64(0), 0
	for range 4_000 {
		fired, want = nil, nil
		now += r.Int64N(20)
		for range r.IntN(4) {
			want = append(want, model.pass(now)...)
			n, key := r.IntN(2), fmt.Sprintf("%02d", r.IntN(40))
			at := now - task.FireDelay + 1 + r.Int64N(3_000)
			do := ring(tables[n], key, at)
			if r.IntN(5) == 0 {
				at, do = 0, drop(tables[n], key)
			}
			s.fold(t, now, do)
			if model[n][key] = at; at == 0 {
				delete(model[n], key)
			}
		}
		if r.IntN(10) == 0 {
			s.commit(t)
		}
		if r.IntN(50) == 0 {
			s.commit(t)
			s = restored(t, s.back, tables[0], tables[1])
		}
		now += r.Int64N(300)
		want = append(want, model.pass(now)...)
		s.clock(t, now)
		expect(t, "fired", fired, want...)
		if total += len(want); t.Failed() {
			return
		}
	}
	if total < 1_000 {
		t.Errorf("only %d alarms went off: this shows nothing", total)
	}
}

func drop(table *task.Table[alarm], key string) func(ctx *task.Context) error {
	return func(ctx *task.Context) error { return table.Delete(ctx, key) }
}
