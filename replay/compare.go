package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// listedMax bounds the rows, the documents and the restated sessions that a report lists one by
// one; all are counted.
const listedMax = 20

// compare reports what came out, and compares it with the live tables if asked.
func (r *run) compare(ctx context.Context) error {
	r.report.Documents, r.report.DocumentsSHA256 = len(r.documents.byID), r.documents.digest()
	for _, p := range r.procs {
		for _, t := range p.Tables {
			if err := r.compareTable(ctx, t); err != nil {
				return err
			}
		}
	}
	if !r.report.Verified {
		return nil
	}
	live, err := r.liveDocuments(ctx)
	if err != nil {
		return err
	}
	r.report.compareDocuments(r.documents, live)
	return nil
}

func (r *run) compareTable(ctx context.Context, t engine.Declared) error {
	table := t.TableName()
	rows := r.driver.Rows(table)
	r.report.Rows[table], r.report.SHA256[table] = len(rows), digest(rows)
	if !r.report.Verified {
		return nil
	}
	live, err := r.liveRows(ctx, t.Topic())
	if err != nil {
		return err
	}
	r.report.compareRows(table, rows, live)
	return nil
}

// liveRows reads a table's topic. A key of which several partitions have a row is a difference: one
// of them has another owner. What was deleted is no row: tables of an older layout lay elsewhere.
func (r *run) liveRows(ctx context.Context, topic string) (map[string][]byte, error) {
	partitions := map[int32]map[string][]byte{}
	_, err := r.reader.Each(ctx, topic, nil, func(record *kgo.Record) error {
		key, rows := string(record.Key), partitions[record.Partition]
		if rows == nil {
			rows = map[string][]byte{}
			partitions[record.Partition] = rows
		}
		switch {
		case engine.Reserved(key):
		case len(record.Value) == 0:
			delete(rows, key)
		default:
			rows[key] = record.Value
		}
		return nil
	})
	live, places := map[string][]byte{}, map[string]int32{}
	for _, partition := range slices.Sorted(maps.Keys(partitions)) {
		for key, row := range partitions[partition] {
			if before, ok := places[key]; ok {
				r.report.Differences++
				list(&r.report.Different, "%s %q: lies in partition %d and in partition %d",
					topic, key, before, partition)
			}
			live[key], places[key] = row, partition
		}
	}
	return live, err
}

// compareRows compares the rows of a table with the live ones.
func (r *Report) compareRows(table string, rows, live map[string][]byte) {
	keys := maps.Clone(rows)
	maps.Copy(keys, live)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r.Compared++
		if bytes.Equal(rows[key], live[key]) {
			continue
		}
		if table == topics.TableSessions {
			if here, there, ok := restated(rows[key], live[key]); ok {
				r.Restated++
				list(&r.RestatedSessions, "%q: %s replayed, %s live", key, here, there)
				continue
			}
		}
		r.Differences++
		list(&r.Different, "%s %q: replayed %x, live %x", table, key, rows[key], live[key])
	}
}

// restated reports whether two rows of a session, which differ, have the same facts, and the marks
// of both in words. One of them read a fact after the moment from which it is known: its documents
// were sent in addition to others.
func restated(replayed, live []byte) (here, there string, ok bool) {
	a, err := tables.DecodeSession(replayed)
	if err != nil {
		return "", "", false
	}
	b, err := tables.DecodeSession(live)
	if err != nil {
		return "", "", false
	}
	return marks(a), marks(b), bytes.Equal(a.Facts(), b.Facts())
}

func marks(s *tables.Session) string {
	return fmt.Sprintf("%d documents with revisions offset by %d, billed up to %s,",
		s.Documents, s.RevisionOffset, s.BilledUpTo)
}

// list adds a text to a list that is not full.
func list(texts *[]string, format string, args ...any) {
	if len(*texts) < listedMax {
		*texts = append(*texts, fmt.Sprintf(format, args...))
	}
}

// digest is a hash of all rows in the order of their keys.
func digest(rows map[string][]byte) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(h, "%q %x\n", key, rows[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}
