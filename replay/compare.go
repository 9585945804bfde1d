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
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

// listedMax bounds the rows and the documents that a report lists one by one, for each excuse; all
// are counted.
const listedMax = 20

// compare reports what came out, and compares it with what is live if asked.
func (r *run) compare(ctx context.Context) error {
	r.report.Documents, r.report.DocumentsSHA256 = len(r.documents.byID), r.documents.digest()
	for _, p := range r.procs {
		for _, t := range p.Tables {
			rows := r.driver.Rows(t.TableName())
			r.report.Rows[t.TableName()], r.report.SHA256[t.TableName()] = len(rows), digest(rows)
		}
	}
	if !r.report.Verified {
		return nil
	}
	l, err := r.readLive(ctx)
	if err != nil {
		return err
	}
	r.compareDocuments(l)
	for _, p := range r.procs {
		for _, t := range p.Tables {
			r.compareRows(t.TableName(), l)
		}
	}
	r.report.conclude()
	return nil
}

// liveState is what the topics hold: tables and documents.
type liveState struct {
	// rows are those of each table; partitions say where each key lies.
	rows       map[string]map[string][]byte
	partitions map[string]map[string]int32
	documents  *sentDocuments
	// moved are the tables once what is due has fired, and waiting the documents sent then.
	moved   map[string]map[string][]byte
	waiting []string
	driver  *engine.Driver
	unread  map[string][]string // keys of rows that cannot be read, by table
	begin   map[string]int64    // where changelogs begin, added up over partitions
	// replayed are the tables of the replay.
	replayed map[string]map[string][]byte
	// excused are sessions whose documents differ and may.
	excused map[session]Excuse
}

// readLive reads what is live, and fires what is due of it, in memory.
func (r *run) readLive(ctx context.Context) (*liveState, error) {
	l := &liveState{rows: map[string]map[string][]byte{}, partitions: map[string]map[string]int32{},
		excused: map[session]Excuse{}, unread: map[string][]string{},
		begin: map[string]int64{}}
	var err error
	if l.documents, err = r.liveDocuments(ctx); err != nil {
		return nil, err
	}
	if l.driver, err = engine.NewDriver(r.partitions, r.procs...); err != nil {
		return nil, err
	}
	l.driver.CommitEvery = commitEvery
	for _, p := range r.procs {
		for _, t := range p.Tables {
			if err := r.liveRows(ctx, t, l); err != nil {
				return nil, err
			}
		}
	}
	l.driver.OnRecord = func(topic, key string, value []byte, _ []engine.Header) {
		if topic == topics.Invoices {
			l.waiting = append(l.waiting, key)
			l.documents.add(key, value, -1, int64(len(l.documents.keys)))
		}
	}
	if err := r.moveOn(l.driver); err != nil {
		r.report.Differences++
		list(&r.report.Different, "timers of the live tables cannot fire: %v", err)
	}
	l.moved, l.replayed = map[string]map[string][]byte{}, map[string]map[string][]byte{}
	for table := range l.rows {
		l.moved[table], l.replayed[table] = l.driver.Rows(table), r.driver.Rows(table)
		for _, key := range l.unread[table] {
			l.moved[table][key] = l.rows[table][key]
		}
	}
	return l, nil
}

// liveRows reads a table's topic. A key of which several partitions have a row is a difference: one
// of them has another owner. What was deleted is no row: tables of an older layout lay elsewhere.
func (r *run) liveRows(ctx context.Context, t engine.Declared, l *liveState) error {
	table, topic := t.TableName(), t.Topic()
	partitions := map[int32]map[string][]byte{}
	at, _, err := r.reader.Bounds(ctx, topic, nil)
	if err != nil {
		return err
	}
	for _, offset := range at {
		l.begin[table] += offset
	}
	_, err = r.reader.Each(ctx, topic, at, func(record *kgo.Record) error {
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
	l.rows[table], l.partitions[table] = map[string][]byte{}, map[string]int32{}
	for _, partition := range slices.Sorted(maps.Keys(partitions)) {
		for key, row := range partitions[partition] {
			if before, ok := l.partitions[table][key]; ok {
				r.report.Differences++
				list(&r.report.Different, "%s %q: lies in partition %d and in partition %d",
					topic, key, before, partition)
			}
			l.rows[table][key], l.partitions[table][key] = row, partition
		}
	}
	for key, row := range l.rows[table] {
		if l.driver.Load(table, l.partitions[table][key], key, row) != nil {
			l.unread[table] = append(l.unread[table], key) // it differs
		}
	}
	return err
}

// compareRows compares the rows of a table with the live ones.
func (r *run) compareRows(table string, l *liveState) {
	rows, have, moved := l.replayed[table], l.rows[table], l.moved[table]
	keys := maps.Clone(rows)
	maps.Copy(keys, have)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		r.report.Compared++
		partition, placed := l.partitions[table][key]
		switch {
		case r.same(table, key, rows[key], have[key], l):
		case placed && r.same(table, key, rows[key], moved[key], l):
			r.report.excuse(ExcuseWaiting, "%s %q", table, key)
		case placed && r.cut.spoils(table, partition, key, have[key]):
			r.report.excuse(ExcuseCut, "%s %q", table, key)
		default:
			if begin := l.begin[table]; begin > 0 && have[key] == nil {
				if r.report.TablesCut == nil {
					r.report.TablesCut = map[string]int64{}
				}
				r.report.TablesCut[topics.Table(table)] = begin
			}
			r.report.Differences++
			list(&r.report.Different, "%s %q: replayed %x, live %x", table, key, rows[key],
				have[key])
		}
	}
}

// same reports whether two rows are the same. How far a session is billed depends on when its timer
// fired: of its marks those must be the same that its documents set, unless the documents differ
// and may.
func (r *run) same(table, key string, replayed, live []byte, l *liveState) bool {
	if bytes.Equal(replayed, live) {
		return true
	}
	if table == topics.TableHours {
		return nothing(replayed) && nothing(live)
	}
	if table != topics.TableSessions {
		return false
	}
	a, errA := tables.DecodeSession(replayed)
	b, errB := tables.DecodeSession(live)
	if errA != nil || errB != nil || !bytes.Equal(a.Facts(), b.Facts()) {
		return false
	}
	station, id, _ := processors.ParseSessionKey(key)
	if _, ok := l.excused[session{station, id}]; ok {
		return true
	}
	return a.Documents == b.Documents && a.RevisionOffset == b.RevisionOffset &&
		slices.Equal(a.Holds, b.Holds) && a.DuplicateOf == b.DuplicateOf
}

// nothing reports whether an hour has no row, or one that holds nothing: which claims beyond its
// bound a session had at first depends on the order of reading.
func nothing(row []byte) bool {
	if row == nil {
		return true
	}
	h, err := tables.DecodeHour(row)
	return err == nil && h.Empty()
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
