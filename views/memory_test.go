package views_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/topics"
	"chargestream/views"
	"chargestream/web"
	"chargestream/why"
)

// memory is a Table in memory.
type memory struct {
	topic    string
	rows     map[string][]byte
	onChange func(key string, old, row []byte)
	behind   int64
	err      error        // what Get returns, if not nil
	onGet    func(string) // called before each Get, if not nil
}

// set changes a row; nil deletes it.
func (m *memory) set(key string, row []byte) {
	if m.onChange != nil {
		m.onChange(key, m.rows[key], row)
	}
	if row == nil {
		delete(m.rows, key)
	} else {
		m.rows[key] = row
	}
}

func (m *memory) Get(key string) ([]byte, error) {
	if m.onGet != nil {
		m.onGet(key)
	}
	return m.rows[key], m.err
}

func (m *memory) OnChange(f func(key string, old, row []byte)) { m.onChange = f }
func (m *memory) Ready() bool                                  { return m.behind == 0 }
func (m *memory) Topic() string                                { return m.topic }

// measured is a memory that shows how far it is.
type measured struct {
	*memory
	newest int64
}

func (m measured) Behind() int64 { return m.behind }
func (m measured) Newest() int64 { return m.newest }

// city is the tables of a test, and what the views logged and counted.
type city struct {
	stations, sessions, registry, utilization, invoices, anomalies, tariffs *memory
	letters                                                                 *why.Letters

	views   *views.Views
	log     *strings.Builder
	corrupt map[string]int // by topic
}

// Corrupt implements views.Counter.
func (c *city) Corrupt(topic string) { c.corrupt[topic]++ }

func newCity() *city {
	table := func(topic string) *memory {
		return &memory{topic: topic, rows: map[string][]byte{}}
	}
	c := &city{
		stations:    table(topics.Table(topics.TableStations)),
		sessions:    table(topics.Table(topics.TableSessions)),
		registry:    table(topics.Table(topics.TableRegistry)),
		utilization: table(topics.Utilization),
		invoices:    table(topics.Invoices),
		anomalies:   table(topics.Anomalies),
		tariffs:     table(topics.Table(topics.TableTariffs)),
		letters:     &why.Letters{},
		log:         &strings.Builder{},
		corrupt:     map[string]int{},
	}
	c.views = views.New(views.Tables{Stations: c.stations, Sessions: c.sessions,
		Registry: c.registry, Utilization: c.utilization, Invoices: c.invoices,
		Anomalies: c.anomalies, Tariffs: c.tariffs, Letters: c.letters},
		slog.New(slog.NewTextHandler(c.log, nil)), c)
	return c
}

// moment is 2026-01-31T08:00:00Z and so many minutes.
func moment(minutes int) chargestream.Millis {
	return 1769846400000 + chargestream.Millis(minutes)*chargestream.Minute
}

func ptr[T any](v T) *T { return &v }

// everything is the first page of a list.
func everything() web.Page { return web.Page{Limit: web.LimitMax} }

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// put writes a JSON record, or a row of the registry with one entry.
func put(t fataler, m *memory, key string, value any) {
	if info, ok := value.(*chargestream.StationInfo); ok && info != nil {
		value = *info
	}
	if info, ok := value.(chargestream.StationInfo); ok {
		row := tables.Registry{}
		if _, err := row.Add(moment(0), &info); err != nil {
			t.Fatalf("encode %s %q: %v", m.topic, key, err)
		}
		m.set(key, row.Append(nil))
		return
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("encode %s %q: %v", m.topic, key, err)
	}
	m.set(key, text)
}

// noRows is tables.Rows of stations whose sessions and hours do not matter.
type noRows struct{}

func (noRows) Peek(chargestream.SessionID) (*tables.Session, error) { return nil, nil }

func (noRows) Session(chargestream.SessionID) (*tables.Session, error) {
	return &tables.Session{}, nil
}

func (noRows) Hour(chargestream.ConnectorID, chargestream.Millis) (*tables.Hour, error) {
	return &tables.Hour{}, nil
}

func (noRows) PeekHour(chargestream.ConnectorID, chargestream.Millis) (*tables.Hour, error) {
	return nil, nil
}

// receive folds events into the row of their station, each as it happens.
func (c *city) receive(t fataler, events ...chargestream.Event) {
	t.Helper()
	for _, e := range events {
		row, key := &tables.Station{ID: e.Station()}, string(e.Station())
		if raw := c.stations.rows[key]; raw != nil {
			var err error
			if row, err = tables.DecodeStation(e.Station(), raw); err != nil {
				t.Fatalf("station %q: %v", key, err)
			}
		}
		if err := row.Fold(noRows{}, e, e.At()); err != nil {
			t.Fatalf("station %q: %v", key, err)
		}
		c.stations.set(key, row.Append(nil))
	}
}

func status(
	station chargestream.StationID, connector chargestream.ConnectorID, word string,
) *chargestream.StatusReport {
	return &chargestream.StatusReport{StationID: station, ConnectorID: connector,
		Time: moment(0), Status: word}
}

// wantKeys compares the keys of a list.
func wantKeys[T any](t *testing.T, what string, got []T, key func(*T) string, want ...string) {
	t.Helper()
	var keys []string
	for i := range got {
		keys = append(keys, key(&got[i]))
	}
	if fmt.Sprintf("%q", keys) != fmt.Sprintf("%q", want) {
		t.Errorf("%s: %q instead of %q", what, keys, want)
	}
}

// wantCorrupt compares what was counted, and wants that many lines in the log at level warn, each
// with its key.
func (c *city) wantCorrupt(t *testing.T, want map[string]int, keys ...string) {
	t.Helper()
	if !maps.Equal(c.corrupt, want) {
		t.Errorf("counted %v instead of %v", c.corrupt, want)
	}
	lines := strings.Split(strings.TrimSpace(c.log.String()), "\n")
	if len(lines) != len(keys) {
		t.Errorf("%d lines in the log instead of %d:\n%s", len(lines), len(keys), c.log)
	}
	for _, key := range keys {
		if !strings.Contains(c.log.String(), "key="+key+" ") {
			t.Errorf("the log does not say key=%s:\n%s", key, c.log)
		}
	}
	if n := strings.Count(c.log.String(), "level=WARN"); n != len(keys) {
		t.Errorf("%d warnings instead of %d:\n%s", n, len(keys), c.log)
	}
}
