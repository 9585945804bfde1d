package replay

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/topics"
)

// Documents of sentHistory.
const (
	firstID = "s-1-0123456789"
	noteID  = "s-1-0123456789-credit"
	otherID = "s-1-x-0123456789"
	// disordered is what is reported where noteID comes in another order.
	disordered = `of session "s-1" at station "st-1": sent in another order, first seen at "` +
		noteID + `"`
)

// sentHistory is what a topic of two partitions may have of two sessions: s-1 was billed, credited
// and billed again.
func sentHistory() []*kgo.Record {
	document := func(offset int64, id, session string, revision int, kind string) *kgo.Record {
		return &kgo.Record{Key: []byte(id), Partition: int32(offset % 2), Offset: offset,
			Value: fmt.Appendf(nil, `{"invoice_id":%q,"station_id":"st-1","session_id":%q,`+
				`"revision":%d,"kind":%q}`, id, session, revision, kind)}
	}
	return []*kgo.Record{
		document(0, firstID, "s-1", 1, "invoice"),
		document(1, otherID, "s-1-x", 1, "invoice"),
		document(2, noteID, "s-1", 1, "credit_note"),
		document(3, "s-1-aaaaaaaaaa", "s-1", 2, "invoice"),
	}
}

func sentBy(list []*kgo.Record) *sentDocuments {
	d := newSentDocuments()
	for _, r := range list {
		d.add(string(r.Key), r.Value, r.Partition, r.Offset)
	}
	return d
}

type history = []*kgo.Record

// documentFaults are changes of what was replayed and of what is live, and what must be reported.
var documentFaults = map[string]struct {
	change func(replayed, live history) (history, history)
	want   []string
}{
	"the same": {func(a, b history) (history, history) { return a, b }, nil},
	"missing": {func(a, b history) (history, history) { return a, b[1:] },
		[]string{`"` + firstID + `": replayed, and not live`}},
	"taken out": {func(a, b history) (history, history) {
		return a, append(b, &kgo.Record{Key: []byte(noteID)})
	}, []string{`"` + noteID + `": replayed, and not live`}},
	"extra": {func(a, b history) (history, history) { return slices.Delete(a, 1, 2), b },
		[]string{`"` + otherID + `": live, and not replayed`}},
	"bytes": {func(a, b history) (history, history) {
		b[0].Value = append(bytes.Clone(b[0].Value), ' ')
		return a, b
	}, []string{`"` + firstID + `": has other bytes live`}},
	"no invoice": {func(a, b history) (history, history) {
		return a, append(b, &kgo.Record{Value: []byte("{")})
	}, []string{`"": live, and not replayed`}},
	"replayed twice": {func(a, b history) (history, history) { return append(a, a[1]), b },
		[]string{`"` + otherID + `": replayed 2 times`}},
	"live twice": {func(a, b history) (history, history) {
		again := *b[1]
		again.Offset = 9
		return a, append(b, &again)
	}, nil},
	"order of the replay": {func(a, b history) (history, history) {
		a[2], a[3] = a[3], a[2]
		return a, b
	}, []string{disordered}},
	"order of a partition": {func(a, b history) (history, history) {
		b[0].Offset = 8
		return a, b
	}, []string{disordered}},
	"one id at two stations": {func(a, b history) (history, history) {
		// At the same station it would be out of order.
		first := *a[0]
		first.Key, first.Partition, first.Offset = append(bytes.Clone(first.Key), '2'), 0, 20
		first.Value = bytes.Replace(first.Value, []byte("st-1"), []byte("st-2"), 1)
		return append(a, &first), append(b, &first)
	}, nil},
	"order between partitions": {func(a, b history) (history, history) {
		b[0].Partition, b[0].Offset = 1, 8
		b[3].Partition = 0
		return a, b
	}, nil},
}

func TestCompareDocuments(t *testing.T) {
	for name, c := range documentFaults {
		t.Run(name, func(t *testing.T) {
			replayed, live := c.change(sentHistory(), sentHistory())
			run := &run{documents: sentBy(replayed)}
			run.compareDocuments(&liveState{documents: sentBy(live)})
			r := &run.report
			var want []string
			for _, text := range c.want {
				want = append(want, topics.Invoices+" "+text)
			}
			if diff := cmp.Diff(want, r.DifferentDocuments); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if r.DocumentDifferences != len(want) || r.DocumentsCompared < 4 {
				t.Errorf("%d differences of %d", r.DocumentDifferences, r.DocumentsCompared)
			}
		})
	}
}

// TestDifferencesAreListed: all are counted, and as many as can be read are listed.
func TestDifferencesAreListed(t *testing.T) {
	replayed := newSentDocuments()
	rows := map[string][]byte{}
	for i := range listedMax + 5 {
		key := string(rune('a' + i))
		replayed.add(key, []byte("{}"), 0, int64(i))
		rows[key] = []byte{1}
	}
	run := &run{documents: replayed}
	l := &liveState{documents: newSentDocuments(),
		replayed: map[string]map[string][]byte{topics.TableHours: rows}}
	run.compareDocuments(l)
	run.compareRows(topics.TableHours, l)
	r := &run.report
	if n := listedMax + 5; r.DocumentDifferences != n || r.Differences != n ||
		len(r.DifferentDocuments) != listedMax || len(r.Different) != listedMax {
		t.Errorf("%+v", r)
	}
	want := fmt.Sprintf("%d rows differ from a replay and must not, %[1]d documents differ and "+
		"must not", listedMax+5)
	if got := r.Problems(); got != want {
		t.Errorf("problems %q, want %q", got, want)
	}
	if got := (&Report{Compared: 7}).Problems(); got != "" {
		t.Errorf("problems %q of none", got)
	}
}
