package tables

import (
	"cmp"
	"slices"

	"chargestream"
	"chargestream/codecs"
)

// claimsMax bounds how many different starts, and ends, of one session are kept. The first to
// arrive counts; others show that there is a conflict, or repeat it with another reason.
const claimsMax = 4

// Start is one claim that a session began.
type Start struct {
	Arrival chargestream.Millis
	At      chargestream.Millis
	// Told is the event time of what told it: At, or the end where one record told both.
	Told        chargestream.Millis
	ConnectorID chargestream.ConnectorID
	UserID      chargestream.UserID
	Meter       *chargestream.WattHours
}

// End is one claim that a session ended. ConnectorID is empty where the event named none.
type End struct {
	Arrival chargestream.Millis
	At      chargestream.Millis
	// Told is the event time of what told it: At, or the start where one record told both and the
	// end lies before it.
	Told        chargestream.Millis
	ConnectorID chargestream.ConnectorID
	Energy      *chargestream.WattHours
	Meter       *chargestream.WattHours
	Reason      string
}

func compareStartContent(a, b *Start) int {
	return cmp.Or(cmp.Compare(a.At, b.At), compareOptional(a.Meter, b.Meter),
		cmp.Compare(a.ConnectorID, b.ConnectorID), cmp.Compare(a.UserID, b.UserID))
}

func compareEndContent(a, b *End) int {
	return cmp.Or(cmp.Compare(a.At, b.At), compareOptional(a.Energy, b.Energy),
		compareOptional(a.Meter, b.Meter), cmp.Compare(a.ConnectorID, b.ConnectorID),
		cmp.Compare(a.Reason, b.Reason))
}

// known is the moment from which the start is known.
func (s *Start) known() chargestream.Millis { return knownFrom(max(s.Told, s.At), s.Arrival) }

// known is the moment from which the end is known.
func (e *End) known() chargestream.Millis { return knownFrom(max(e.Told, e.At), e.Arrival) }

// mergeClaim adds a claim to the few that are kept. Of the same content the telling that better
// prefers is kept; of different contents the earliest by (arrival, content). That is a semilattice:
// what is cut off was beaten by claimsMax claims whose arrivals can only become earlier.
func mergeClaim[T any](
	list []T,
	claim T,
	content func(a, b *T) int,
	better func(a, b *T) int,
	arrival func(*T) chargestream.Millis,
) []T {
	known := false
	for i := range list {
		if content(&list[i], &claim) == 0 {
			if better(&claim, &list[i]) < 0 {
				list[i] = claim
			}
			known = true
		}
	}
	if !known {
		list = append(list, claim)
	}
	slices.SortFunc(list, func(a, b T) int {
		return cmp.Or(cmp.Compare(arrival(&a), arrival(&b)), content(&a, &b))
	})
	return list[:min(len(list), claimsMax)]
}

// Of the same claim the telling by which it is known first is kept, with both of its times: one
// that says nothing new must change nothing.
func mergeStart(list []Start, s Start) []Start {
	return mergeClaim(list, s, compareStartContent, func(a, b *Start) int {
		return cmp.Or(cmp.Compare(a.known(), b.known()), cmp.Compare(a.Arrival, b.Arrival),
			cmp.Compare(a.Told, b.Told))
	}, func(s *Start) chargestream.Millis { return s.Arrival })
}

func mergeEnd(list []End, e End) []End {
	return mergeClaim(list, e, compareEndContent, func(a, b *End) int {
		return cmp.Or(cmp.Compare(a.known(), b.known()), cmp.Compare(a.Arrival, b.Arrival),
			cmp.Compare(a.Told, b.Told))
	}, func(e *End) chargestream.Millis { return e.Arrival })
}

// skewed tells whether an event that happened at, and was received at arrival, was sent by a
// clock that is too far ahead to be billed by.
func skewed(at, arrival chargestream.Millis) bool { return at > arrival+chargestream.SkewTolerance }

func writeEnergy(w *codecs.Writer, v *chargestream.WattHours) {
	if v == nil {
		w.Byte(0)
		return
	}
	w.Byte(1)
	w.Int(int64(*v))
}

func readEnergy(r *codecs.Reader) *chargestream.WattHours {
	if r.Byte() == 0 {
		return nil
	}
	v := chargestream.WattHours(r.Int())
	return &v
}

func (s *Start) write(w *codecs.Writer) {
	w.Int(int64(s.At))
	w.Int(int64(s.Arrival - s.At))
	w.Int(int64(max(s.Told, s.At) - s.At))
	w.Text(string(s.ConnectorID))
	w.Text(string(s.UserID))
	writeEnergy(w, s.Meter)
}

func readStart(r *codecs.Reader) Start {
	var s Start
	s.At = chargestream.Millis(r.Int())
	s.Arrival = s.At + chargestream.Millis(r.Int())
	s.Told = s.At + chargestream.Millis(r.Int())
	s.ConnectorID = chargestream.ConnectorID(r.Text())
	s.UserID = chargestream.UserID(r.Text())
	s.Meter = readEnergy(r)
	return s
}

func (e *End) write(w *codecs.Writer) {
	w.Int(int64(e.At))
	w.Int(int64(e.Arrival - e.At))
	w.Int(int64(max(e.Told, e.At) - e.At))
	w.Text(string(e.ConnectorID))
	writeEnergy(w, e.Energy)
	writeEnergy(w, e.Meter)
	w.Text(e.Reason)
}

func readEnd(r *codecs.Reader) End {
	var e End
	e.At = chargestream.Millis(r.Int())
	e.Arrival = e.At + chargestream.Millis(r.Int())
	e.Told = e.At + chargestream.Millis(r.Int())
	e.ConnectorID = chargestream.ConnectorID(r.Text())
	e.Energy = readEnergy(r)
	e.Meter = readEnergy(r)
	e.Reason = r.Text()
	return e
}
