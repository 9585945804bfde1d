package tables

import (
	"cmp"
	"slices"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/lattice"
)

// claimsMax bounds how many different starts, and ends, of one session are kept. The first to
// arrive counts; others show that there is a conflict, or repeat it with another reason.
const claimsMax = 4

// Start is one claim that a session began.
type Start struct {
	Arrival chargestream.Millis
	At      chargestream.Millis
	// ReportedAt is the event time of what told it: At, or the end where one record reported both.
	ReportedAt  chargestream.Millis
	ConnectorID chargestream.ConnectorID
	UserID      chargestream.UserID
	Meter       *chargestream.WattHours
}

// End is one claim that a session ended. ConnectorID is empty where the event named none.
type End struct {
	Arrival chargestream.Millis
	At      chargestream.Millis
	// ReportedAt is the event time of what reported it: At, or the start where one record reported
	// both and the end lies before it.
	ReportedAt  chargestream.Millis
	ConnectorID chargestream.ConnectorID
	Energy      *chargestream.WattHours
	Meter       *chargestream.WattHours
	Reason      string
}

func compareStartContent(a, b *Start) int {
	return cmp.Or(cmp.Compare(a.At, b.At), lattice.CompareOptional(a.Meter, b.Meter),
		cmp.Compare(a.ConnectorID, b.ConnectorID), compareUsers(a.UserID, b.UserID))
}

// compareUsers compares users, who are one however they are written.
func compareUsers(a, b chargestream.UserID) int {
	if a == b {
		return 0
	}
	return cmp.Compare(chargestream.FoldID(a), chargestream.FoldID(b))
}

func compareEndContent(a, b *End) int {
	return cmp.Or(cmp.Compare(a.At, b.At), lattice.CompareOptional(a.Energy, b.Energy),
		lattice.CompareOptional(a.Meter, b.Meter), cmp.Compare(a.ConnectorID, b.ConnectorID),
		cmp.Compare(a.Reason, b.Reason))
}

// Known is the moment from which the start is known.
func (s *Start) Known() chargestream.Millis { return KnownFrom(max(s.ReportedAt, s.At), s.Arrival) }

// Known is the moment from which the end is known.
func (e *End) Known() chargestream.Millis { return KnownFrom(max(e.ReportedAt, e.At), e.Arrival) }

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
		return cmp.Or(cmp.Compare(a.Known(), b.Known()), cmp.Compare(a.Arrival, b.Arrival),
			cmp.Compare(a.ReportedAt, b.ReportedAt), cmp.Compare(a.UserID, b.UserID))
	}, func(s *Start) chargestream.Millis { return s.Arrival })
}

func mergeEnd(list []End, e End) []End {
	return mergeClaim(list, e, compareEndContent, func(a, b *End) int {
		return cmp.Or(cmp.Compare(a.Known(), b.Known()), cmp.Compare(a.Arrival, b.Arrival),
			cmp.Compare(a.ReportedAt, b.ReportedAt))
	}, func(e *End) chargestream.Millis { return e.Arrival })
}

// Skewed reports whether an event that happened at, and was received at arrival, was sent by a
// clock that is too far ahead to be billed by.
func Skewed(at, arrival chargestream.Millis) bool { return at > arrival+chargestream.SkewTolerance }

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
	w.Int(int64(max(s.ReportedAt, s.At) - s.At))
	w.Text(string(s.ConnectorID))
	w.Text(string(s.UserID))
	writeEnergy(w, s.Meter)
}

func readStart(r *codecs.Reader) Start {
	var s Start
	s.At = chargestream.Millis(r.Int())
	s.Arrival = s.At + chargestream.Millis(r.Int())
	s.ReportedAt = s.At + chargestream.Millis(r.Int())
	s.ConnectorID = chargestream.ConnectorID(r.Text())
	s.UserID = chargestream.UserID(r.Text())
	s.Meter = readEnergy(r)
	return s
}

func (e *End) write(w *codecs.Writer) {
	w.Int(int64(e.At))
	w.Int(int64(e.Arrival - e.At))
	w.Int(int64(max(e.ReportedAt, e.At) - e.At))
	w.Text(string(e.ConnectorID))
	writeEnergy(w, e.Energy)
	writeEnergy(w, e.Meter)
	w.Text(e.Reason)
}

func readEnd(r *codecs.Reader) End {
	var e End
	e.At = chargestream.Millis(r.Int())
	e.Arrival = e.At + chargestream.Millis(r.Int())
	e.ReportedAt = e.At + chargestream.Millis(r.Int())
	e.ConnectorID = chargestream.ConnectorID(r.Text())
	e.Energy = readEnergy(r)
	e.Meter = readEnergy(r)
	e.Reason = r.Text()
	return e
}
