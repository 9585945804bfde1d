package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// differencesTold bounds the rows, the documents and the restated sessions that replay --verify
// tells one by one; all are counted.
const differencesTold = 20

// compare tells what came out, and compares it with what is live if asked.
func (r *replay) compare(ctx context.Context) error {
	r.report.Documents, r.report.DocumentsSHA256 = len(r.documents.byID), r.documents.digest()
	for _, p := range r.procs {
		rows := r.driver.Rows(p.Group)
		r.report.Rows[p.Group], r.report.SHA256[p.Group] = len(rows), digest(rows)
		if !r.report.Verified {
			continue
		}
		live, err := r.liveRows(ctx, p)
		if err != nil {
			return err
		}
		r.report.compareRows(p.Group, rows, live)
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

// liveRows reads the live table of a processor.
func (r *replay) liveRows(ctx context.Context, p *engine.Processor) (map[string][]byte, error) {
	live := map[string][]byte{}
	_, err := r.eachRecord(ctx, r.client, p.Table(), nil, func(record *kgo.Record) error {
		if len(record.Value) == 0 {
			delete(live, string(record.Key))
		} else if !engine.Reserved(string(record.Key)) {
			live[string(record.Key)] = record.Value
		}
		return nil
	})
	return live, err
}

// compareRows compares the rows of a group with those of its live table.
func (r *replayReport) compareRows(group string, rows, live map[string][]byte) {
	keys := maps.Clone(rows)
	maps.Copy(keys, live)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r.Compared++
		if bytes.Equal(rows[key], live[key]) {
			continue
		}
		if group == topics.GroupSessions {
			if here, there, ok := restated(rows[key], live[key]); ok {
				r.Restated++
				tell(&r.RestatedSessions, "%q: %d revisions more than documents replayed, %d live",
					key, here, there)
				continue
			}
		}
		r.Differences++
		tell(&r.Different, "%s %q: replayed %x, live %x", group, key, rows[key], live[key])
	}
}

// restated tells whether two rows of a session, which differ, do so in Shift alone, and its values:
// one of them read a fact behind its moment, and sent documents anew. Such rows have the same
// facts, but the documents are others.
func restated(replayed, live []byte) (here, there int, ok bool) {
	a, err := tables.DecodeSession(replayed)
	if err != nil {
		return 0, 0, false
	}
	b, err := tables.DecodeSession(live)
	if err != nil {
		return 0, 0, false
	}
	here, there, a.Shift = a.Shift, b.Shift, b.Shift
	return here, there, bytes.Equal(a.Append(nil), live)
}

// tell adds a text to a list that is not full.
func tell(list *[]string, format string, args ...any) {
	if len(*list) < differencesTold {
		*list = append(*list, fmt.Sprintf(format, args...))
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
