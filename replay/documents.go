package replay

import (
	"bytes"
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
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// sentDocument is what is kept of a record of the invoices topic.
type sentDocument struct {
	session  session
	revision int
	credit   bool // a credit note, which has the revision of the invoice that it cancels
	credits  string
	sum      [sha256.Size]byte
	content  [sha256.Size]byte // of what is billed, whenever and as which revision
	times    int               // how often it was sent

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
		Credits  string                   `json:"credits"`
	}
	doc := sentDocument{sum: sha256.Sum256(value), times: 1, partition: partition, offset: offset}
	if json.Unmarshal(value, &v) == nil {
		doc.session, doc.revision = v.session, v.Revision
		doc.credit, doc.credits = v.Kind == chargestream.KindCreditNote, v.Credits
		doc.content = contentOf(value)
	}
	if old := d.byID[key]; old != nil {
		doc.times = old.times + 1
	} else {
		d.keys = append(d.keys, key)
	}
	d.byID[key] = &doc
}

// contentOf is a hash of an invoice without its id, and without when and as which revision it was
// made.
func contentOf(value []byte) [sha256.Size]byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(value, &fields) != nil {
		return sha256.Sum256(value)
	}
	for _, name := range []string{"invoice_id", "revision", "issued_at", "booking_date"} {
		delete(fields, name)
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(h, "%q %s\n", name, fields[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// standing is the content of the one invoice of a session that no note credits. It is zero where
// there is none, and not ok where there are several, or where a note credits what is not there.
func (d *sentDocuments) standing(ids []string) (content [sha256.Size]byte, ok bool) {
	credited := map[string]bool{}
	for _, id := range ids {
		if doc := d.byID[id]; doc != nil && doc.credit {
			if of := d.byID[doc.credits]; of == nil || of.credit || credited[doc.credits] {
				return content, false
			}
			credited[doc.credits] = true
		}
	}
	found := 0
	for _, id := range ids {
		if doc := d.byID[id]; doc != nil && !doc.credit && !credited[id] {
			content = doc.content
			found++
		}
	}
	return content, found <= 1
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
func (r *run) compareDocuments(l *liveState) {
	waiting := map[string]bool{}
	for _, id := range l.waiting {
		waiting[id] = true
	}
	ids := maps.Clone(r.documents.byID)
	maps.Copy(ids, l.documents.byID)
	bySession, problems := map[session][]string{}, map[session][]string{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		r.report.DocumentsCompared++
		of := ids[id].session
		bySession[of] = append(bySession[of], id)
		here, there := r.documents.byID[id], l.documents.byID[id]
		if problem := compareDocument(here, there); problem != "" {
			problems[of] = append(problems[of],
				fmt.Sprintf("%s %q: %s", topics.Invoices, id, problem))
		} else if waiting[id] {
			r.report.excuse(ExcuseWaiting, "%s %q", topics.Invoices, id)
		}
	}
	for _, of := range slices.SortedFunc(maps.Keys(problems), compareSessions) {
		why, ok := r.excuseSession(of, bySession[of], l)
		if ok {
			l.excused[of] = why
		}
		for _, text := range problems[of] {
			if ok {
				r.report.excuse(why, "%s", text)
				continue
			}
			r.report.DocumentDifferences++
			list(&r.report.DifferentDocuments, "%s", text)
		}
	}
	r.report.compareOrders(r.documents, l.documents)
}

func compareSessions(a, b session) int {
	return cmp.Or(cmp.Compare(a.StationID, b.StationID), cmp.Compare(a.SessionID, b.SessionID))
}

// compareDocument is how a document differs; empty where it does not.
func compareDocument(here, there *sentDocument) string {
	switch {
	case there == nil:
		return "replayed, and not live"
	case here == nil:
		return "live, and not replayed"
	case here.sum != there.sum:
		return "has other bytes live"
	case here.times > 1:
		return fmt.Sprintf("replayed %d times", here.times)
	}
	return ""
}

// excuseSession is why the documents of a session may differ, of which ids are all.
func (r *run) excuseSession(of session, ids []string, l *liveState) (Excuse, bool) {
	key := processors.SessionKey(of.StationID, of.SessionID)
	rows, have := l.replayed[topics.TableSessions], l.moved[topics.TableSessions]
	b, err := tables.DecodeSession(have[key])
	if of == (session{}) || err != nil {
		return "", false
	}
	for _, id := range ids {
		here, there := r.documents.byID[id], l.documents.byID[id]
		// A credit note has the time of what takes the place of its invoice, which may be another.
		moved := here != nil && there != nil && here.credit && here.content == there.content
		if here != nil && (there != nil && here.sum != there.sum && !moved || here.times > 1) {
			return "", false
		}
	}
	stands, ok := l.documents.standing(ids)
	replayed, okHere := r.documents.standing(ids)
	a, err := tables.DecodeSession(rows[key])
	switch {
	case !ok || !okHere:
	case err == nil && stands == replayed && bytes.Equal(a.Facts(), b.Facts()):
		return ExcuseReadLate, true
	case err == nil && !slices.Equal(a.References, b.References) &&
		bytes.Equal(a.Facts(), b.Facts()):
		return ExcuseReference, true
	}
	partition := engine.PartitionOf(string(of.StationID), r.partitions)
	return ExcuseCut, ok && r.cut.spoils(topics.TableSessions, partition, key, have[key])
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
