package views

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"chargestream"
	"chargestream/billing"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/web"
)

// alsoAtMax bounds how many other stations an answer names that have a session of the same id.
const alsoAtMax = 100

// Session is a session as it is now. A session id is unique at its station only: without a station
// the answer is the session of that id that started last, and it names the stations of the others.
func (v *Views) Session(
	ctx context.Context, id chargestream.SessionID, at chargestream.StationID,
) (*chargestream.SessionState, error) {
	t := v.tables.Sessions
	if at != "" {
		return lookup(ctx, v, t, engine.RowKey(string(at), string(id)), decodeSession)
	}
	if err := errors.Join(ctx.Err(), ready(t)); err != nil {
		return nil, err
	}
	var last *chargestream.SessionState
	var stations []chargestream.StationID
	missing := web.ErrNotFound
	for _, key := range v.indexes.sessionKeys(id) {
		state, err := read(v, t, key, decodeSession)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, web.ErrNotFound):
			continue // it was deleted meanwhile
		case errors.Is(err, ErrCorrupt):
			missing = err
		case err != nil:
			return nil, err
		case last == nil || state.StartTime > last.StartTime:
			last = state
		}
		stations = append(stations, stationOf(key))
	}
	if last == nil {
		return nil, missing
	}
	last.AlsoAtStations = others(stations, last.StationID)
	return last, nil
}

// others are the stations besides one, alsoAtMax at most; nil for none.
func others(stations []chargestream.StationID,
	but chargestream.StationID) []chargestream.StationID {
	stations = slices.DeleteFunc(stations, func(s chargestream.StationID) bool { return s == but })
	slices.Sort(stations)
	if len(stations) == 0 {
		return nil
	}
	return stations[:min(len(stations), alsoAtMax)]
}

// sharedIDs counts the session ids that sessions of several stations have. The task of a station
// sees no other station, so only the view can.
type sharedIDs struct {
	sessions *index
	count    atomic.Int64
}

// newSharedIDs has the index of sessions kept, and counts.
func newSharedIDs(t Table) *sharedIDs {
	s := &sharedIDs{sessions: &index{compare: bySession, sets: map[term]*ordered{}}}
	t.OnChange(func(key string, old, row []byte) {
		s.sessions.change(key, old, row)
		switch n := len(keysOf(s.sessions, sessionOf(key), 3)); {
		case old == nil && row != nil && n == 2:
			s.count.Add(1)
		case old != nil && row == nil && n == 1:
			s.count.Add(-1)
		}
	})
	return s
}

// SharedSessionIDs is how many session ids sessions of several stations have.
func (v *Views) SharedSessionIDs() int64 { return v.indexes.shared.count.Load() }

// keysOf are the keys of the rows of sessions with an id, up to a number of them.
func keysOf(sessions *index, id string, most int) []string {
	return sessions.read(nil, term{}, "/"+id, func(key string) bool {
		most--
		return most >= 0 && sessionOf(key) == id
	})
}

// sessionKeys are the keys of the rows of all sessions with an id, whatever their stations.
func (x *indexes) sessionKeys(id chargestream.SessionID) []string {
	return keysOf(x.shared.sessions, string(id), math.MaxInt)
}

// bySession orders the keys of rows of sessions by the id of the session, and then by the station.
func bySession(a, b string) int {
	return cmp.Or(strings.Compare(sessionOf(a), sessionOf(b)), strings.Compare(a, b))
}

// sessionOf is the id of the session in the key of a row.
func sessionOf(key string) string {
	_, id, _ := strings.Cut(key, "/")
	return id
}

// stationOf is the station in the key of a row.
func stationOf(key string) chargestream.StationID {
	station, _, _ := engine.ParseRowKey(key)
	return chargestream.StationID(station)
}

func decodeSession(key string, value []byte) (*chargestream.SessionState, error) {
	station, id, ok := engine.ParseRowKey(key)
	if !ok {
		return nil, errKey
	}
	row, err := tables.DecodeSession(value)
	if err != nil {
		return nil, err
	}
	state := billing.State(chargestream.SessionID(id), chargestream.StationID(station), row)
	return &state, nil
}
