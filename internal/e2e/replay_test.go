package e2e_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chargestream/engine"
	"chargestream/internal/e2e"
)

// alarmClock is a processor whose rows are due at the number that the record holds, and that sends
// when it fired.
func alarmClock() *engine.Processor {
	rows := &engine.Table[int64]{Name: "alarms",
		Decode: func(_ string, row []byte) (*int64, error) {
			due, err := strconv.ParseInt(string(row), 10, 64)
			return &due, err
		},
		Append: func(buf []byte, due *int64) []byte { return strconv.AppendInt(buf, *due, 10) },
		Due:    func(_ string, due *int64) int64 { return *due },
		Fire: func(ctx *engine.Context, key string, due *int64, now int64) error {
			text := strconv.AppendInt(nil, now, 10)
			if len(key) > 1 { // a loud one
				text = append(text, bytes.Repeat([]byte("!"), 1<<20)...)
			}
			*due = 0
			ctx.Emit("rung", key, text)
			return nil
		}}
	return &engine.Processor{Group: "alarms", Inputs: []string{"set"}, Clock: "ticks",
		Tables: []engine.Declared{rows}, Outputs: []engine.Output{{Topic: "rung"}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			row, err := rows.Edit(ctx, m.Key)
			if err == nil {
				*row, err = strconv.ParseInt(string(m.Value), 10, 64)
			}
			return err
		}}
}

// alarms is a log in which a task begins anew behind the stream time of the one before it.
func alarms(t *testing.T) e2e.Log {
	t.Helper()
	m, err := e2e.NewMemory(1, e2e.Audited(alarmClock(), 1))
	if err != nil {
		t.Fatal(err)
	}
	m.RestartEvery = 2
	err = m.Run(&e2e.Journal{End: 200_000, Entries: []e2e.Entry{
		{Topic: "set", Key: "a", Value: []byte("300000"), Arrival: 100_000},
		{Topic: "set", Key: "b", Value: []byte("60000"), Arrival: 50_000}, // behind a restart
		{Topic: "ticks", NoKey: true, Arrival: 70_000}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m.Log
}

// findings are those of a log of alarmClock: in its account, its output and its changelog.
func findings(t *testing.T, log e2e.Log) []e2e.Finding {
	t.Helper()
	r, err := e2e.NewReplay(alarmClock(), 1, log)
	if err != nil {
		t.Fatal(err)
	}
	found := r.Findings
	for at, streams := range r.Emitted {
		found = append(found, e2e.Compare(at, streams, log[at])...)
	}
	for at, streams := range r.Changelogs {
		found = append(found, e2e.Compare(at, streams, log[at])...)
	}
	return found
}

// TestReplayFollowsRestarts: the stream time of a task begins anew with it, so the account shows
// where one begins.
func TestReplayFollowsRestarts(t *testing.T) {
	log, account := alarms(t), e2e.Place{Topic: e2e.AuditTopic("alarms")}
	begins := verbs(log[account], "begin")
	rung := log[e2e.Place{Topic: "rung"}]
	if len(begins) != 2 || len(rung) != 1 || string(rung[0].Value) != "69000" {
		t.Fatalf("%d tasks, %d alarms: this shows nothing", len(begins), len(rung))
	}
	if found := findings(t, log); len(found) > 0 {
		t.Errorf("found: %s", e2e.Summary(found, findingsShown))
	}
	log[account] = slices.Delete(slices.Clone(log[account]), begins[1], begins[1]+1)
	found := findings(t, log)
	if !slices.ContainsFunc(found, func(f e2e.Finding) bool {
		return f.Kind == e2e.Early && strings.Contains(f.Detail, "fired at 69000")
	}) {
		t.Errorf("without the begin of a task, found: %s", e2e.Summary(found, findingsShown))
	}
}

// TestReplayFollowsLargeFires: more timers may be due before a record than a commit can hold. The
// record is folded after the last of the commits, by the task that took it or by another one.
func TestReplayFollowsLargeFires(t *testing.T) {
	j := &e2e.Journal{End: 200_000}
	for n := range 40 {
		j.Entries = append(j.Entries, e2e.Entry{Topic: "set", Key: fmt.Sprint("loud-", n),
			Value: []byte("60000"), Arrival: 50_000})
	}
	j.Entries = append(j.Entries,
		e2e.Entry{Topic: "set", Key: "a", Value: []byte("90000"), Arrival: 70_000})
	m, err := e2e.NewMemory(1, e2e.Audited(alarmClock(), 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(j, nil); err != nil {
		t.Fatal(err)
	}
	account := e2e.Place{Topic: e2e.AuditTopic("alarms")}
	list := m.Log[account]
	takes := verbs(list, "take set")
	last := takes[len(takes)-1]
	commits := slices.DeleteFunc(verbs(list, "commit"), func(i int) bool { return i < last })
	if len(commits) < 3 {
		t.Fatalf("%d commits: this shows nothing", len(commits))
	}
	if found := findings(t, m.Log); len(found) > 0 {
		t.Errorf("found: %s", e2e.Summary(found, findingsShown))
	}
	begin := list[last]
	begin.Value = []byte("begin")
	m.Log[account] = slices.Insert(slices.Clone(list), commits[0]+1, begin, list[last])
	if found := findings(t, m.Log); len(found) > 0 {
		t.Errorf("taken by another task, found: %s", e2e.Summary(found, findingsShown))
	}
}

// TestReplayRefusesAccounts: what is no account cannot be followed.
func TestReplayRefusesAccounts(t *testing.T) {
	for _, text := range []string{"", "take set 0", "commit", "sleep", "begin\ntake set",
		"begin\ntake set x", "begin\nfire alarms a", "begin\ncommit set"} {
		var account []e2e.Record
		for i, line := range strings.Split(text, "\n") {
			account = append(account, e2e.Record{Offset: int64(i), Value: []byte(line)})
		}
		log := e2e.Log{{Topic: e2e.AuditTopic("alarms")}: account}
		if _, err := e2e.NewReplay(alarmClock(), 1, log); err == nil {
			t.Errorf("%q is taken for an account", text)
		}
	}
}

// TestReplayFindsEarlyFires: a row that is fired before it is due is found even where the checker's
// own task fires it too.
func TestReplayFindsEarlyFires(t *testing.T) {
	log := alarms(t)
	hasty := alarmClock()
	rows, ok := hasty.Tables[0].(*engine.Table[int64])
	if !ok {
		t.Fatal("not the table of alarms")
	}
	reads := 0
	rows.Due = func(_ string, due *int64) int64 {
		// The timer is set too early. When it fires, the row is not due.
		if reads++; reads == 1 {
			return 1
		}
		return *due
	}
	r, err := e2e.NewReplay(hasty, 1, log)
	if err == nil && !slices.ContainsFunc(r.Findings, func(f e2e.Finding) bool {
		return f.Kind == e2e.Early && strings.Contains(f.Detail, "due 300000")
	}) {
		t.Errorf("found: %s", e2e.Summary(r.Findings, findingsShown))
	}
	if err != nil {
		t.Fatal(err)
	}
}
