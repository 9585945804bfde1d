package e2e_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream/internal/e2e"
	"chargestream/internal/seeded"
	"chargestream/topics"
)

// changelog is the records of a text of "key=value" words; without a value they are tombstones.
func changelog(text string) []e2e.Record {
	var list []e2e.Record
	for i, word := range strings.Fields(text) {
		key, value, _ := strings.Cut(word, "=")
		r := e2e.Record{Topic: "t", Offset: int64(i), Key: key, HasKey: true}
		if value != "" {
			r.Value = []byte(value)
		}
		list = append(list, r)
	}
	return list
}

// wordsOf undoes changelog.
func wordsOf(list []e2e.Record) string {
	var words []string
	for _, r := range list {
		words = append(words, r.Key+"="+string(r.Value))
	}
	return strings.Join(words, " ")
}

func TestRemaining(t *testing.T) {
	for name, c := range map[string]struct{ want, got, remaining string }{
		"all":                {"a=1 b=1 a=2", "a=1 b=1 a=2", "a=1 b=1 a=2"},
		"older ones gone":    {"a=1 b=1 a=2 a=3", "b=1 a=3", "b=1 a=3"},
		"the newest is lost": {"a=1 b=1 a=2", "a=1 b=1", "a=1 b=1 a=2"},
		"the same again":     {"a=1 b=2 a=1", "b=2 a=1", "b=2 a=1"},
		"both of the same":   {"a=1 b=2 a=1", "a=1 b=2 a=1", "a=1 b=2 a=1"},
		"tombstone":          {"a=1 b=1 a=", "b=1 a=", "b=1 a="},
		"tombstone gone":     {"a=1 b=1 a=", "b=1", "b=1"},
		"tombstone lost":     {"a=1 b=1 a=", "a=1 b=1", "a=1 b=1 a="},
		"one that never was": {"a=1 a=2 a=3", "a=1 a=9 a=3", "a=1 a=3"},
		"an old one again":   {"a=1 a=2", "a=2 a=1", "a=2"},
	} {
		got := e2e.Remaining(changelog(c.want), changelog(c.got))
		want := strings.Join(strings.Fields(c.remaining), " ")
		if diff := cmp.Diff(want, wordsOf(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCompactedIsNoFault: what a broker leaves of any changelog is what remains of it, and a record
// that is lost, is another's or stands elsewhere is not.
func TestCompactedIsNoFault(t *testing.T) {
	seed := seeded.Seed(t)
	for round := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, round))
		var words []string
		for range 2 + r.IntN(30) {
			word := string(rune('a'+r.IntN(4))) + "="
			if r.IntN(5) > 0 {
				word += string(rune('1' + r.IntN(3)))
			}
			words = append(words, word)
		}
		want := changelog(strings.Join(words, " "))
		got := compacted(want, r.IntN(len(want)), r.IntN(2) == 0)
		found := e2e.Compare(e2e.Place{Topic: "t"}, [][]e2e.Record{e2e.Remaining(want, got)}, got)
		if len(found) > 0 {
			t.Fatalf("seed %d, round %d: of %q is left %q, found: %s", seed, round, wordsOf(want),
				wordsOf(got), e2e.Summary(found, findingsShown))
		}
	}
}

// compacted leaves of the records before a place only the newest of each key there, and with
// forget no tombstones.
func compacted(list []e2e.Record, before int, forget bool) []e2e.Record {
	newest := map[string]int{}
	for i := range list[:before] {
		newest[list[i].Key] = i
	}
	var left []e2e.Record
	for i := range list {
		if i < before && (newest[list[i].Key] != i || (forget && list[i].Value == nil)) {
			continue
		}
		left = append(left, list[i])
	}
	return left
}

// TestVerifyCompacted: a broker that compacts changelogs is no fault, and faults in what it leaves
// are found.
func TestVerifyCompacted(t *testing.T) {
	t.Parallel()
	f := foldInMemory(t)
	left := e2e.Log{}
	for _, name := range tableNames() {
		for p := range small.Partitions {
			at := e2e.Place{Topic: topics.Table(name), Partition: p}
			left[at] = compacted(f.log[at], len(f.log[at])/2, false)
		}
	}
	at := f.place(t, topics.Table(topics.TableHours))
	section := at.Topic + " as it grew"
	if len(left[at]) == len(f.log[at]) || len(f.verifyAll(t, left).Section(section)) == 0 {
		t.Fatal("nothing is compacted: this shows nothing")
	}
	check := func(list []e2e.Record) []e2e.Finding {
		log := maps.Clone(f.log)
		maps.Copy(log, left)
		if list != nil {
			log[at] = list
		}
		r, err := e2e.VerifyCompacted(f.journal, f.reference, log, small.Partitions)
		if err != nil {
			t.Fatal(err)
		}
		if failed := r.Failed(findingsShown); list == nil && failed != "" {
			t.Error(failed)
		}
		return r.Section(section)
	}
	check(nil)
	old, last := left[at][0], left[at][len(left[at])-1]
	old.Offset, last.Value = last.Offset+1, append(bytes.Clone(last.Value), 0)
	for name, list := range map[string][]e2e.Record{
		"the newest of a key is lost": left[at][:len(left[at])-1],
		"an old one comes again":      append(slices.Clone(left[at]), old),
		"other bytes":                 append(slices.Clone(left[at][:len(left[at])-1]), last),
		"another order": append([]e2e.Record{left[at][len(left[at])-1]},
			left[at][:len(left[at])-1]...),
	} {
		if found := check(list); len(found) == 0 {
			t.Errorf("%s: found nothing", name)
		}
	}
}
