package e2e_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"chargestream/engine"
	"chargestream/ingest"
	"chargestream/internal/e2e"
	"chargestream/processors"
	"chargestream/topics"
)

// small is the world that faults are planted in: few partitions, so that each writer has several
// records in each.
var small = e2e.JournalConfig{Seed: 3, Events: 2500, Partitions: 2, Depot: 20, City: 15}

// folded is a run without faults, made in memory: what goes in, and what a broker would hold.
type folded struct {
	journal   *e2e.Journal
	reference []ingest.Record
	log       e2e.Log
}

func foldInMemory(t *testing.T) *folded {
	t.Helper()
	j, reference := journalOf(t, small)
	m, err := e2e.NewMemory(small.Partitions, e2e.Fleet(small.Partitions)...)
	if err != nil {
		t.Fatal(err)
	}
	m.RestartEvery = 500
	if err := m.Run(j, reference); err != nil {
		t.Fatal(err)
	}
	return &folded{j, reference, m.Log}
}

// verify is the report on the run with one partition replaced.
func (f *folded) verify(t *testing.T, at e2e.Place, records []e2e.Record) *e2e.Report {
	t.Helper()
	if records == nil {
		return f.verifyAll(t, nil)
	}
	return f.verifyAll(t, map[e2e.Place][]e2e.Record{at: records})
}

// verifyAll is the report on the run with some partitions replaced.
func (f *folded) verifyAll(t *testing.T, replaced map[e2e.Place][]e2e.Record) *e2e.Report {
	t.Helper()
	log := maps.Clone(f.log)
	maps.Copy(log, replaced)
	r, err := e2e.Verify(f.journal, f.reference, log, small.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// place is the fullest partition of a topic.
func (f *folded) place(t *testing.T, topic string) e2e.Place {
	t.Helper()
	best := e2e.Place{Topic: topic}
	for p := range small.Partitions {
		at := e2e.Place{Topic: topic, Partition: p}
		if len(f.log[at]) > len(f.log[best]) {
			best = at
		}
	}
	if len(f.log[best]) < 3 {
		t.Fatalf("%s has %d records: too few to plant a fault", topic, len(f.log[best]))
	}
	return best
}

// planted are the ways in which the record in the middle of a list can go wrong. Each gives the
// list with the fault, and the offset at which it must be found.
var planted = map[e2e.Kind]func(list []e2e.Record) ([]e2e.Record, int64){
	e2e.Lost: func(list []e2e.Record) ([]e2e.Record, int64) {
		n := len(list) / 2
		return slices.Delete(list, n, n+1), -1
	},
	e2e.Doubled: func(list []e2e.Record) ([]e2e.Record, int64) {
		again := list[len(list)/2]
		again.Offset = list[len(list)-1].Offset + 1
		return append(list, again), again.Offset
	},
	e2e.Altered: func(list []e2e.Record) ([]e2e.Record, int64) {
		r := &list[len(list)/2]
		r.Value = append(bytes.Clone(r.Value), ' ')
		return list, r.Offset
	},
}

// reorder moves a record of one writer before two others of the same, in the partition that has the
// most of one writer.
func (f *folded) reorder(t *testing.T, topic string) (e2e.Place, []e2e.Record, int64) {
	t.Helper()
	var at e2e.Place
	var longest []e2e.Record
	for p := range small.Partitions {
		place := e2e.Place{Topic: topic, Partition: p}
		for _, stream := range f.streams(t, place) {
			if len(stream) > len(longest) {
				at, longest = place, stream
			}
		}
	}
	if len(longest) < 3 {
		t.Fatalf("no writer has three records in a partition of %s", topic)
	}
	list := slices.Clone(f.log[at])
	find := func(want e2e.Record) int {
		return slices.IndexFunc(list, func(r e2e.Record) bool {
			return r.Key == want.Key && bytes.Equal(r.Value, want.Value)
		})
	}
	to, from := find(longest[0]), find(longest[2])
	moved := list[from]
	return at, slices.Insert(slices.Delete(list, from, from+1), to, moved), moved.Offset
}

// streams are what the writers of a partition have to write there.
func (f *folded) streams(t *testing.T, at e2e.Place) [][]e2e.Record {
	t.Helper()
	if at.Topic == e2e.CountOutput {
		counts, _, err := e2e.ExpectCounts(f.log, small.Partitions)
		if err != nil {
			t.Fatal(err)
		}
		return counts[at]
	}
	streams := f.journal.ExpectInputs(small.Partitions)[at]
	for _, p := range processors.All(nil) {
		replay, err := e2e.NewReplay(p, small.Partitions, f.log)
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, replay.Emitted[at]...)
		streams = append(streams, replay.Changelogs[at]...)
	}
	return streams
}

// tableNames are the tables of the application.
func tableNames() []string {
	var names []string
	for _, p := range processors.All(nil) {
		for _, t := range p.Tables {
			names = append(names, t.TableName())
		}
	}
	return names
}

// TestVerifyFindsNothing shows that a run without faults passes, and that the checks had records of
// every kind to look at.
func TestVerifyFindsNothing(t *testing.T) {
	f := foldInMemory(t)
	r := f.verify(t, e2e.Place{}, nil)
	if failed := r.Failed(findingsShown); failed != "" {
		t.Error(failed)
	}
	for _, topic := range append(append(e2e.Outputs(), e2e.Topics()...), e2e.Inputs()...) {
		if r.Records[topic] == 0 {
			t.Errorf("topic %s is empty: nothing of it was checked", topic)
		}
	}
	if w := r.Work[topics.GroupStations]; w.Tasks <= int(small.Partitions) || w.Fired == 0 ||
		w.Commits <= w.Tasks {
		t.Errorf("%+v: this shows nothing of restarts, commits and timers", w)
	}
	for at, a := range r.Accounts {
		if a.Acked == 0 || a.Applied == 0 {
			t.Errorf("nothing went in at %v: %+v", at, *a)
		}
	}
}

// TestVerifyFindsPlantedRecords plants one fault of each kind in each topic, and wants it found as
// what it is, where it is, and nothing else found in that topic.
func TestVerifyFindsPlantedRecords(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	sections := map[string]string{e2e.CountOutput: e2e.CountOutput}
	for _, topic := range e2e.Outputs() {
		sections[topic] = topic
	}
	for _, topic := range e2e.Inputs() {
		sections[topic] = "inputs"
	}
	for _, table := range tableNames() {
		sections[topics.Table(table)] = topics.Table(table) + " as it grew"
	}
	for topic, section := range sections {
		for _, kind := range []e2e.Kind{e2e.Lost, e2e.Doubled, e2e.Altered, e2e.Reordered} {
			if topic == topics.Table(topics.TableTariffs) && kind == e2e.Altered {
				continue // the fold that looks the row up fails: nothing can be compared
			}
			t.Run(topic+" "+string(kind), func(t *testing.T) {
				at := f.place(t, topic)
				var list []e2e.Record
				var offset int64
				if plant, ok := planted[kind]; ok {
					list, offset = plant(slices.Clone(f.log[at]))
				} else {
					at, list, offset = f.reorder(t, topic)
				}
				found := f.verify(t, at, list).Section(section)
				if len(found) != 1 || found[0].Kind != kind || found[0].Place != at ||
					found[0].Offset != offset {
					t.Errorf("planted at %v, offset %d, found: %s", at, offset,
						e2e.Summary(found, findingsShown))
				}
			})
		}
		t.Run(topic+" wrong partition", func(t *testing.T) { f.findMoved(t, topic, section) })
	}
}

// findMoved moves a record to another partition, and wants it found in both.
func (f *folded) findMoved(t *testing.T, topic, section string) {
	from := f.place(t, topic)
	to := e2e.Place{Topic: topic, Partition: (from.Partition + 1) % small.Partitions}
	list := slices.Clone(f.log[from])
	moved := list[len(list)/2]
	moved.Partition, moved.Offset = to.Partition, int64(len(f.log[to]))
	found := f.verifyAll(t, map[e2e.Place][]e2e.Record{
		from: slices.Delete(list, len(list)/2, len(list)/2+1),
		to:   append(slices.Clone(f.log[to]), moved)}).Section(section)
	in := func(at e2e.Place, kinds ...e2e.Kind) bool {
		return slices.ContainsFunc(found, func(x e2e.Finding) bool {
			return x.Place == at && slices.Contains(kinds, x.Kind)
		})
	}
	if len(found) != 2 || !in(from, e2e.Lost) || !in(to, e2e.Foreign, e2e.Doubled) {
		t.Errorf("moved from %v to %v, found: %s", from, to, e2e.Summary(found, findingsShown))
	}
}

// TestVerifyFindsPlantedRows plants a row that is lost, one that is too much and one that has other
// bytes.
func TestVerifyFindsPlantedRows(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	for kind, plant := range map[e2e.Kind]func(list []e2e.Record) []e2e.Record{
		e2e.RowLost: func(list []e2e.Record) []e2e.Record {
			key := list[len(list)-1].Key
			return slices.DeleteFunc(list, func(r e2e.Record) bool { return r.Key == key })
		},
		e2e.RowExtra: func(list []e2e.Record) []e2e.Record {
			extra := list[0]
			extra.Key = "unknown"
			return append(list, extra)
		},
		e2e.RowAltered: func(list []e2e.Record) []e2e.Record {
			r := &list[len(list)-1]
			r.Value = append(bytes.Clone(r.Value), 0)
			return list
		},
	} {
		sections := map[string][]string{e2e.CountGroup: {"by the input"}}
		for _, table := range tableNames() {
			sections[table] = []string{"by its account", "by the journal"}
		}
		for name, sections := range sections {
			if name == topics.TableTariffs && kind == e2e.RowAltered {
				continue // the fold that looks the row up fails: nothing can be compared
			}
			table := topics.Table(name)
			t.Run(table+" "+string(kind), func(t *testing.T) {
				at := f.place(t, table)
				r := f.verify(t, at, plant(slices.Clone(f.log[at])))
				for _, section := range sections {
					found := r.Section(table + " " + section)
					if len(found) != 1 || found[0].Kind != kind || found[0].Topic != table {
						t.Errorf("%s: %s", section, e2e.Summary(found, findingsShown))
					}
				}
			})
		}
	}
}

// verbs are the places of an account's entries that begin with a word.
func verbs(list []e2e.Record, verb string) (at []int) {
	for i := range list {
		if text := string(list[i].Value); text == verb || strings.HasPrefix(text, verb+" ") {
			at = append(at, i)
		}
	}
	return at
}

// TestVerifyFindsPlantedWork plants faults in the account of a processor: a record that was passed
// over, one that was taken twice, one that was taken out of turn, a row that was fired before it
// was due, one that was not fired, and work that was never committed.
func TestVerifyFindsPlantedWork(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	drop := func(list []e2e.Record, verb string) []e2e.Record {
		at := verbs(list, verb)
		i := at[len(at)/2]
		return slices.Delete(list, i, i+1)
	}
	for name, c := range map[string]struct {
		kind   e2e.Kind
		detail string
		plant  func(list []e2e.Record) []e2e.Record
	}{
		"passed over": {e2e.Lost, "not taken", func(list []e2e.Record) []e2e.Record {
			return drop(list, "take")
		}},
		"clock passed over": {e2e.Lost, "not taken", func(list []e2e.Record) []e2e.Record {
			return slices.DeleteFunc(list, func(r e2e.Record) bool {
				return strings.HasPrefix(string(r.Value),
					"take "+topics.Clock(topics.GroupStations)+" ")
			})
		}},
		"twice": {e2e.Doubled, "taken again", func(list []e2e.Record) []e2e.Record {
			i := verbs(list, "take")[100]
			return slices.Insert(list, i, list[i])
		}},
		"out of turn": {e2e.Doubled, "out of turn", func(list []e2e.Record) []e2e.Record {
			return swapTakes(list)
		}},
		"early": {e2e.Early, "not due", func(list []e2e.Record) []e2e.Record {
			r := &list[verbs(list, "fire")[0]]
			fields := strings.SplitN(string(r.Value), " ", 4)
			fields[2] = "1"
			r.Value = []byte(strings.Join(fields, " "))
			return list
		}},
		"not fired": {e2e.Lost, "not fired", func(list []e2e.Record) []e2e.Record {
			return drop(list, "fire")
		}},
		"not committed": {e2e.Lost, "without a commit", func(list []e2e.Record) []e2e.Record {
			at := verbs(list, "commit")
			return list[:at[len(at)-1]]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			at := f.place(t, e2e.AuditTopic(topics.GroupStations))
			r := f.verify(t, at, c.plant(slices.Clone(f.log[at])))
			found := r.Section("account of " + topics.GroupStations)
			if !slices.ContainsFunc(found, func(x e2e.Finding) bool {
				return x.Kind == c.kind && strings.Contains(x.Detail, c.detail)
			}) {
				t.Errorf("found: %s", e2e.Summary(found, findingsShown))
			}
		})
	}
}

// swapTakes swaps two records of one topic that were taken one after the other.
func swapTakes(list []e2e.Record) []e2e.Record {
	last, topic := -1, ""
	for _, i := range verbs(list, "take") {
		now := strings.Fields(string(list[i].Value))[1]
		if last >= 0 && now == topic {
			list[last], list[i] = list[i], list[last]
			return list
		}
		last, topic = i, now
	}
	return list
}

// TestVerifyFindsPlantedCommits plants a commit that the account has and the topics do not, and
// moves the point of one: rows are written once a commit, so both show in the changelogs.
func TestVerifyFindsPlantedCommits(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	at := f.place(t, e2e.AuditTopic(topics.GroupStations))
	section := topics.Table(topics.TableStations) + " as it grew"
	for name, plant := range map[string]func(list []e2e.Record, i int) []e2e.Record{
		"one more": func(list []e2e.Record, i int) []e2e.Record {
			return slices.Insert(list, i-5, list[i])
		},
		"one less": func(list []e2e.Record, i int) []e2e.Record {
			return slices.Delete(list, i, i+1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			list := slices.Clone(f.log[at])
			commits := verbs(list, "commit")
			i := commits[len(commits)/2]
			if len(f.verify(t, at, plant(list, i)).Section(section)) == 0 {
				t.Error("found nothing")
			}
		})
	}
}

// TestVerifyFindsPlantedChangelog plants a value in a changelog that its row never had, and an old
// one after the one that holds.
func TestVerifyFindsPlantedChangelog(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	at := f.place(t, topics.Table(topics.TableHours))
	section := at.Topic + " as it grew"
	never := f.log[at][0]
	never.Value, never.Offset = []byte("never"), int64(len(f.log[at]))
	found := f.verify(t, at, slices.Insert(slices.Clone(f.log[at]), 1, never)).Section(section)
	if len(found) != 1 || found[0].Kind != e2e.Foreign || found[0].Offset != never.Offset {
		t.Errorf("a value that never was: %s", e2e.Summary(found, findingsShown))
	}
	latest := map[string][]byte{}
	for _, r := range f.log[at] {
		latest[r.Key] = r.Value
	}
	i := slices.IndexFunc(f.log[at], func(r e2e.Record) bool {
		return !bytes.Equal(latest[r.Key], r.Value)
	})
	old := f.log[at][i]
	old.Offset = int64(len(f.log[at]))
	found = f.verify(t, at, append(slices.Clone(f.log[at]), old)).Section(section)
	if len(found) != 1 || found[0].Kind != e2e.Doubled || found[0].Offset != old.Offset {
		t.Errorf("an old value: %s", e2e.Summary(found, findingsShown))
	}
}

// TestAccountsDoNotBalance: a record of which nothing came shows in the accounts.
func TestAccountsDoNotBalance(t *testing.T) {
	f := foldInMemory(t)
	at := f.place(t, e2e.AuditTopic(topics.GroupStations))
	list := slices.Clone(f.log[at])
	takes := verbs(list, "take "+topics.StationStatus)
	i := takes[len(takes)/2]
	list = slices.Delete(list, i, i+1)
	found := f.verify(t, at, list).Section("accounts")
	if len(found) != 1 || found[0].Kind != e2e.Unbalanced {
		t.Errorf("found: %s", e2e.Summary(found, findingsShown))
	}
}

// TestCompareNamesFewest: of a record that was moved far only this one is named, and that
// two writers may alternate.
func TestCompareNamesFewest(t *testing.T) {
	at := e2e.Place{Topic: "t"}
	record := func(key string) e2e.Record {
		return e2e.Record{Topic: "t", Key: key, HasKey: true, Value: []byte(key),
			Headers: []engine.Header{{Key: "h", Value: []byte("v")}}}
	}
	list := func(keys ...string) []e2e.Record {
		var list []e2e.Record
		for i, key := range keys {
			r := record(key)
			r.Offset = int64(i)
			list = append(list, r)
		}
		return list
	}
	streams := [][]e2e.Record{list("a", "b", "c", "d", "e"), list("x", "y")}
	if found := e2e.Compare(at, streams, list("a", "x", "b", "c", "y", "d", "e")); found != nil {
		t.Errorf("two writers: %s", e2e.Summary(found, findingsShown))
	}
	found := e2e.Compare(at, streams, list("b", "c", "x", "d", "e", "a", "y"))
	if len(found) != 1 || found[0].Kind != e2e.Reordered || found[0].Key != "a" {
		t.Errorf("one moved to the end: %s", e2e.Summary(found, findingsShown))
	}
	other := list("a", "x", "b", "c", "y", "d", "e")
	other[2].Headers = nil
	found = e2e.Compare(at, streams, other)
	if len(found) != 1 || found[0].Kind != e2e.Altered || found[0].Key != "b" {
		t.Errorf("headers lost: %s", e2e.Summary(found, findingsShown))
	}
	found = e2e.Compare(at, streams, append(list("a", "x", "b", "c", "y", "d", "e"), record("z")))
	if len(found) != 1 || found[0].Kind != e2e.Foreign || found[0].Key != "z" {
		t.Errorf("a record of no writer: %s", e2e.Summary(found, findingsShown))
	}
}
