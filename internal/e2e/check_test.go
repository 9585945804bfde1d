package e2e_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"chargestream/ingest"
	"chargestream/internal/e2e"
	"chargestream/internal/engine"
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
	if err := m.Run(j, reference); err != nil {
		t.Fatal(err)
	}
	m.PutTables()
	return &folded{j, reference, m.Log}
}

// verify is the report on the run with one partition replaced.
func (f *folded) verify(t *testing.T, at e2e.Place, records []e2e.Record) *e2e.Report {
	t.Helper()
	log := maps.Clone(f.log)
	if records != nil {
		log[at] = records
	}
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
	}
	return streams
}

// TestVerifyFindsNothing holds that a run without faults passes, and that the checks had records of
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
	for _, topic := range append(append(e2e.Outputs(), e2e.CountOutput), e2e.Inputs()...) {
		section := topic
		if slices.Contains(e2e.Inputs(), topic) {
			section = "inputs"
		}
		for _, kind := range []e2e.Kind{e2e.Lost, e2e.Doubled, e2e.Altered, e2e.Reordered} {
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
	}
}

// TestVerifyFindsPlantedRows plants a row that is lost, one that is too much and one that says
// something else.
func TestVerifyFindsPlantedRows(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	for kind, plant := range map[e2e.Kind]func(list []e2e.Record) []e2e.Record{
		e2e.RowLost: func(list []e2e.Record) []e2e.Record {
			return slices.Delete(list, len(list)/2, len(list)/2+1)
		},
		e2e.RowExtra: func(list []e2e.Record) []e2e.Record {
			extra := list[0]
			extra.Key = "nobody's"
			return append(list, extra)
		},
		e2e.RowAltered: func(list []e2e.Record) []e2e.Record {
			r := &list[len(list)/2]
			r.Value = append(bytes.Clone(r.Value), 0)
			return list
		},
	} {
		for group, sections := range map[string][]string{
			topics.GroupReference: {"by its folds", "by the journal"},
			topics.GroupStations:  {"by its folds", "by the journal"},
			topics.GroupHours:     {"by its folds", "by the journal"},
			topics.GroupSessions:  {"by its folds", "by the journal"},
			e2e.CountGroup:        {"by the input"},
		} {
			if group == topics.GroupReference && kind == e2e.RowAltered {
				continue // who looks the row up ends: nothing can be said
			}
			table := topics.Table(group)
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

// TestVerifyFindsPlantedFolds plants faults in what a processor says of its own work: a record that
// was passed over, one that was folded twice, one that was folded out of turn, a row that was
// fired before it was due.
func TestVerifyFindsPlantedFolds(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	folds := func(list []e2e.Record, verb string) (at []int) {
		for i := range list {
			if strings.HasPrefix(string(list[i].Value), verb+" ") {
				at = append(at, i)
			}
		}
		return at
	}
	for name, plant := range map[string]struct {
		kind  e2e.Kind
		group string
		plant func(list []e2e.Record) []e2e.Record
	}{
		"passed over": {e2e.Lost, topics.GroupSessions, func(list []e2e.Record) []e2e.Record {
			n := len(list) / 2
			return slices.Delete(list, n, n+1)
		}},
		"twice": {e2e.Doubled, topics.GroupSessions, func(list []e2e.Record) []e2e.Record {
			return slices.Insert(list, len(list)/2, list[len(list)/2])
		}},
		"out of turn": {e2e.Doubled, topics.GroupSessions, func(list []e2e.Record) []e2e.Record {
			n := len(list) / 2
			list[n], list[n+1] = list[n+1], list[n]
			return list
		}},
		"early": {e2e.Early, topics.GroupHours, func(list []e2e.Record) []e2e.Record {
			r := &list[folds(list, "fire")[0]]
			text := string(r.Value)
			r.Value = []byte(text[:strings.LastIndexByte(text, ' ')] + " 1")
			return list
		}},
	} {
		t.Run(name, func(t *testing.T) {
			at := f.place(t, e2e.AuditTopic(plant.group))
			r := f.verify(t, at, plant.plant(slices.Clone(f.log[at])))
			found := r.Section("folds of " + plant.group)
			if !slices.ContainsFunc(
				found,
				func(x e2e.Finding) bool { return x.Kind == plant.kind },
			) {
				t.Errorf("found: %s", e2e.Summary(found, findingsShown))
			}
		})
	}
}

// TestVerifyFindsPlantedChangelog plants a value in a changelog that its row never had, and one of
// before after the one that holds.
func TestVerifyFindsPlantedChangelog(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	at := f.place(t, topics.Table(topics.GroupHours))
	section := at.Topic + " as it grew"
	never := slices.Clone(f.log[at])
	never[0].Value = []byte("never")
	found := f.verify(t, at, append(never, f.log[at][0])).Section(section)
	if len(found) != 1 || found[0].Kind != e2e.Altered || found[0].Offset != never[0].Offset {
		t.Errorf("a value that never was: %s", e2e.Summary(found, findingsShown))
	}

	half := *f.journal
	half.Entries, half.End = half.Entries[:len(half.Entries)/2], 0
	m, err := e2e.NewMemory(small.Partitions, e2e.Fleet(small.Partitions)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(&half, f.reference); err != nil {
		t.Fatal(err)
	}
	before := m.Rows(topics.GroupHours)
	i := slices.IndexFunc(f.log[at], func(r e2e.Record) bool {
		return before[r.Key] != nil && !bytes.Equal(before[r.Key], r.Value)
	})
	old := f.log[at][i]
	old.Value, old.Offset = before[old.Key], int64(len(f.log[at]))
	found = f.verify(t, at, append(slices.Clone(f.log[at]), old)).Section(section)
	if len(found) != 1 || found[0].Kind != e2e.Reordered || found[0].Offset != old.Offset {
		t.Errorf("a value of before: %s", e2e.Summary(found, findingsShown))
	}
}

// TestAccountsDoNotBalance holds that a record of which nothing came shows in the accounts.
func TestAccountsDoNotBalance(t *testing.T) {
	f := foldInMemory(t)
	at := f.place(t, e2e.AuditTopic(topics.GroupStations))
	list := slices.Clone(f.log[at])
	list = slices.DeleteFunc(list, func(r e2e.Record) bool {
		return bytes.Equal(r.Value, list[len(list)/2].Value)
	})
	found := f.verify(t, at, list).Section("accounts")
	if len(found) != 1 || found[0].Kind != e2e.Unbalanced {
		t.Errorf("found: %s", e2e.Summary(found, findingsShown))
	}
}

// TestCompareNamesFewest holds that of a record that was moved far only this one is named, and that
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
		t.Errorf("a record of nobody: %s", e2e.Summary(found, findingsShown))
	}
}
