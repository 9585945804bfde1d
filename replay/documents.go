package replay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/topics"
)

// sentDocument is what is kept of a record of the invoices topic.
type sentDocument struct {
	session  session
	revision int
	credit   bool // a credit note, which has the revision of the invoice that it cancels
	sum      [sha256.Size]byte
	times    int // how often it was sent

	partition int32
	offset    int64 // of the last time
}

// session names a session: an id is unique at a station.
type session struct {
	StationID chargestream.StationID `json:"station_id"`
	SessionID chargestream.SessionID `json:"session_id"`
}

// sentDocuments are the records of the invoices topic by their keys, each an invoice_id.
type sentDocuments struct {
	byID map[string]*sentDocument
	keys []string // in the order in which they were first sent
}

func newSentDocuments() *sentDocuments { return &sentDocuments{byID: map[string]*sentDocument{}} }

// add takes a record. One that is no invoice has a sum only; no value takes a document out.
func (d *sentDocuments) add(key string, value []byte, partition int32, offset int64) {
	if value == nil {
		delete(d.byID, key)
		return
	}
	var v struct {
		session
		Revision int                      `json:"revision"`
		Kind     chargestream.InvoiceKind `json:"kind"`
	}
	doc := sentDocument{sum: sha256.Sum256(value), times: 1, partition: partition, offset: offset}
	if json.Unmarshal(value, &v) == nil {
		doc.session, doc.revision = v.session, v.Revision
		doc.credit = v.Kind == chargestream.KindCreditNote
	}
	if old := d.byID[key]; old != nil {
		doc.times = old.times + 1
	} else {
		d.keys = append(d.keys, key)
	}
	d.byID[key] = &doc
}

// digest is a hash of all documents in the order of their ids.
func (d *sentDocuments) digest() string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(d.byID)) {
		fmt.Fprintf(h, "%q %x\n", key, d.byID[key].sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// liveDocuments reads the invoices topic.
func (r *run) liveDocuments(ctx context.Context) (*sentDocuments, error) {
	live := newSentDocuments()
	_, err := r.reader.Each(ctx, topics.Invoices, nil, func(record *kgo.Record) error {
		live.add(string(record.Key), record.Value, record.Partition, record.Offset)
		return nil
	})
	return live, err
}

// compareDocuments compares what the replay sent with the invoices topic: the same records, byte
// for byte, and for each session in the same order. A record that is live more than once counts as
// one, as at-least-once processing may send it again after a crash; the replay sends each once.
func (r *Report) compareDocuments(replayed, live *sentDocuments) {
	ids := maps.Clone(replayed.byID)
	maps.Copy(ids, live.byID)
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		r.DocumentsCompared++
		here, there := replayed.byID[id], live.byID[id]
		problem := ""
		switch {
		case there == nil:
			problem = "replayed, and not live"
		case here == nil:
			problem = "live, and not replayed"
		case here.sum != there.sum:
			problem = "has other bytes live"
		case here.times > 1:
			problem = fmt.Sprintf("replayed %d times", here.times)
		default:
			continue
		}
		r.DocumentDifferences++
		list(&r.DifferentDocuments, "%s %q: %s", topics.Invoices, id, problem)
	}
	r.compareOrders(replayed, live)
}

// lastOf is the last document of a session that was looked at.
type lastOf struct {
	*sentDocument
	offsets map[int32]int64 // of the last one in each live partition
	noted   bool
}

// compareOrders checks that the documents of each session were sent in one order: in the replay
// that of their revisions, each invoice before the credit note that cancels it, and in each live
// partition, between which the topic has no order, that of the replay.
func (r *Report) compareOrders(replayed, live *sentDocuments) {
	sessions := map[session]*lastOf{}
	for _, id := range replayed.keys {
		here, there := replayed.byID[id], live.byID[id]
		if there == nil || here.sum != there.sum {
			continue // compareDocuments reports it
		}
		s := sessions[here.session]
		if s == nil {
			s = &lastOf{offsets: map[int32]int64{}}
			sessions[here.session] = s
		}
		before, known := s.offsets[there.partition]
		wrong := (s.sentDocument != nil && compareRevisions(s.sentDocument, here) >= 0) ||
			(known && before >= there.offset)
		if wrong && !s.noted {
			s.noted = true
			r.DocumentDifferences++
			list(&r.DifferentDocuments, "%s of session %q at station %q: sent in another order, "+
				"first seen at %q", topics.Invoices, here.session.SessionID,
				here.session.StationID, id)
		}
		s.sentDocument, s.offsets[there.partition] = here, there.offset
	}
}

func compareRevisions(a, b *sentDocument) int {
	if c := cmp.Compare(a.revision, b.revision); c != 0 || a.credit == b.credit {
		return c
	}
	if a.credit {
		return 1
	}
	return -1
}
