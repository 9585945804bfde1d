package e2e

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"chargestream/engine"
)

// Kind is what is wrong with a record or a row.
type Kind string

// The kinds of a Finding.
const (
	Lost       Kind = "lost"        // a record that must be there is not
	Doubled    Kind = "doubled"     // a record is there more often than it must be
	Altered    Kind = "altered"     // a record is there with another value or other headers
	Reordered  Kind = "reordered"   // a record stands behind one that comes after it
	Foreign    Kind = "foreign"     // a record of a key of which no more are expected
	Early      Kind = "early"       // a row was fired before it was due
	RowLost    Kind = "row lost"    // a row that must be there is not
	RowExtra   Kind = "row extra"   // a row that must not be there is
	RowAltered Kind = "row altered" // a row has other bytes
	Unbalanced Kind = "unbalanced"  // what became of records is not as many as went in
)

// Record is a record as the checker sees it: all that its reader can see, time of writing excepted.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64 // -1 for one that is expected
	Key       string
	HasKey    bool
	Value     []byte // nil for a tombstone
	Headers   []engine.Header
	Timestamp int64 // ms; not compared
}

// Place is a partition of a topic.
type Place struct {
	Topic     string
	Partition int32
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// Finding is one thing that is not as it must be.
type Finding struct {
	Kind Kind
	Place
	Offset int64 // -1 where there is none: of what is lost, and of rows
	Key    string
	Detail string
}

// String is the finding in one line.
func (f Finding) String() string {
	at := "no offset"
	if f.Offset >= 0 {
		at = fmt.Sprintf("offset %d", f.Offset)
	}
	return fmt.Sprintf("%s: %s/%d, %s, key %q%s", f.Kind, f.Topic, f.Partition, at, clip(f.Key),
		f.Detail)
}

// detailMax bounds what a finding quotes of a record, in bytes.
const detailMax = 300

func clip(text string) string { return text[:min(len(text), detailMax)] }

// Summary is the findings as text: how many of each kind, and the first most of them.
func Summary(findings []Finding, most int) string {
	kinds := map[Kind]int{}
	for _, f := range findings {
		kinds[f.Kind]++
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d findings: %v", len(findings), kinds)
	for _, f := range findings[:min(len(findings), most)] {
		text.WriteString("\n" + f.String())
	}
	return text.String()
}

// digest stands for all of a record that is compared. Headers are compared as a set: their order
// carries nothing.
type digest [sha256.Size]byte

func (r *Record) digest() digest {
	hash := sha256.New()
	put := func(b []byte) {
		hash.Write(binary.AppendUvarint(nil, uint64(len(b))))
		hash.Write(b)
	}
	put([]byte(r.Key))
	put([]byte(fmt.Sprint(r.HasKey, r.Value == nil)))
	put(r.Value)
	put([]byte(r.headerText()))
	return digest(hash.Sum(nil))
}

func (r *Record) headerText() string {
	lines := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		lines[i] = h.Key + "=" + string(h.Value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Compare compares what a partition has with what must be there. Each of the streams is a sequence
// whose order is determined, as one writer made it; between streams any order is right.
//
// A record counts as altered where one of the same key is missing; it counts as doubled where the
// same is there already. Of records in the wrong order as few are named as would have to be moved.
func Compare(place Place, streams [][]Record, got []Record) []Finding {
	c := comparison{place: place, streams: streams, got: got, spots: map[digest][]spot{}}
	c.match()
	findings := append(c.reordered(), c.strange()...)
	return append(findings, c.lost()...)
}

// spot is a record of a stream.
type spot struct{ stream, index int }

// pair is a record of a stream, by index, and where it was found.
type pair struct{ index, got int }

type comparison struct {
	place   Place
	streams [][]Record
	got     []Record
	spots   map[digest][]spot // what is expected, by content, in the order of the streams
	pairs   [][]pair          // by stream, in the order in which they were found
	missing map[string][]spot // by key
	surplus []int             // of got, what has no counterpart
	doubled map[int]bool      // of surplus, what is there once already
}

// match pairs each record that was got with the first one that is expected, has the same content,
// and has no counterpart yet.
func (c *comparison) match() {
	hit := make([][]bool, len(c.streams))
	for s, stream := range c.streams {
		hit[s] = make([]bool, len(stream))
		for i := range stream {
			d := stream[i].digest()
			c.spots[d] = append(c.spots[d], spot{s, i})
		}
	}
	taken := map[digest]int{}
	c.pairs, c.doubled = make([][]pair, len(c.streams)), map[int]bool{}
	for g := range c.got {
		d := c.got[g].digest()
		if taken[d] == len(c.spots[d]) {
			c.surplus = append(c.surplus, g)
			c.doubled[g] = taken[d] > 0
			continue
		}
		at := c.spots[d][taken[d]]
		taken[d]++
		hit[at.stream][at.index] = true
		c.pairs[at.stream] = append(c.pairs[at.stream], pair{at.index, g})
	}
	c.missing = map[string][]spot{}
	for s, stream := range c.streams {
		for i := range stream {
			if !hit[s][i] {
				c.missing[stream[i].Key] = append(c.missing[stream[i].Key], spot{s, i})
			}
		}
	}
}

// reordered names, for each stream, the records outside of the longest run that is in order.
func (c *comparison) reordered() []Finding {
	var findings []Finding
	for _, pairs := range c.pairs {
		kept := longestRun(pairs)
		for i, p := range pairs {
			if !kept[i] {
				findings = append(findings, c.find(Reordered, &c.got[p.got], ""))
			}
		}
	}
	return findings
}

// longestRun marks a longest ascending subsequence (patience sorting).
func longestRun(pairs []pair) []bool {
	kept := make([]bool, len(pairs))
	before := make([]int, len(pairs)) // of each pair, the one before it in its run
	var ends []int                    // of each length, the pair that ends a run of it
	for i, p := range pairs {
		n := sort.Search(len(ends), func(k int) bool { return pairs[ends[k]].index >= p.index })
		before[i] = -1
		if n > 0 {
			before[i] = ends[n-1]
		}
		if n == len(ends) {
			ends = append(ends, i)
		} else {
			ends[n] = i
		}
	}
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			kept[i] = true
		}
	}
	return kept
}

// strange names what was got and has no counterpart.
func (c *comparison) strange() []Finding {
	var findings []Finding
	for _, g := range c.surplus {
		r := &c.got[g]
		left := c.missing[r.Key]
		switch {
		case c.doubled[g]:
			findings = append(findings, c.find(Doubled, r, ""))
		case len(left) > 0:
			want := &c.streams[left[0].stream][left[0].index]
			c.missing[r.Key] = left[1:]
			findings = append(findings, c.find(Altered, r, difference(r, want)))
		default:
			findings = append(findings, c.find(Foreign, r, quoted(r)))
		}
	}
	return findings
}

// lost names what is expected and was not got.
func (c *comparison) lost() []Finding {
	var findings []Finding
	for _, key := range slices.Sorted(maps.Keys(c.missing)) {
		for _, at := range c.missing[key] {
			r := &c.streams[at.stream][at.index]
			f := c.find(Lost, r, quoted(r))
			f.Offset = -1
			findings = append(findings, f)
		}
	}
	return findings
}

func quoted(r *Record) string { return fmt.Sprintf(" %q", clip(string(r.Value))) }

func (c *comparison) find(kind Kind, r *Record, detail string) Finding {
	return Finding{Kind: kind, Place: c.place, Offset: r.Offset, Key: r.Key, Detail: detail}
}

func difference(got, want *Record) string {
	if !bytes.Equal(got.Value, want.Value) {
		return fmt.Sprintf("\n got %q\nwant %q", clip(string(got.Value)), clip(string(want.Value)))
	}
	return fmt.Sprintf("\n got headers %q\nwant headers %q", clip(got.headerText()),
		clip(want.headerText()))
}

// CompareRows compares the rows of a table, or the last record of each key of a topic, with those
// that must be there.
func CompareRows(table string, want, got map[string][]byte) []Finding {
	var findings []Finding
	find := func(kind Kind, key, detail string) {
		findings = append(findings, Finding{Kind: kind, Place: Place{Topic: table}, Offset: -1,
			Key: key, Detail: detail})
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		row, ok := got[key]
		switch {
		case !ok:
			find(RowLost, key, "")
		case !bytes.Equal(row, want[key]):
			find(RowAltered, key, fmt.Sprintf("\n got %q\nwant %q", clip(string(row)),
				clip(string(want[key]))))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			find(RowExtra, key, "")
		}
	}
	return findings
}

// CompareAll is Compare for every partition that has records, or must have.
func CompareAll(want map[Place][][]Record, got map[Place][]Record) []Finding {
	places := map[Place]bool{}
	for at := range want {
		places[at] = true
	}
	for at := range got {
		places[at] = true
	}
	var findings []Finding
	for _, at := range slices.SortedFunc(maps.Keys(places), comparePlaces) {
		findings = append(findings, Compare(at, want[at], got[at])...)
	}
	return findings
}
