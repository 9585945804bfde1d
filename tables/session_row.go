package tables

import (
	"chargestream"
	"chargestream/codecs"
)

// Append writes the row to buf[:0]; docs/format/session.md draws it.
func (s *Session) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindSession, sessionVersion)
	w.Text(string(s.StationID))
	w.Byte(flag(s.Verdict.Known, flagVerdict))
	w.Uint(uint64(len(s.Starts)))
	for i := range s.Starts {
		s.Starts[i].write(w)
	}
	w.Uint(uint64(len(s.Ends)))
	for i := range s.Ends {
		s.Ends[i].write(w)
	}
	w.Uint(uint64(len(s.Quarters)))
	for i := range s.Quarters {
		s.Quarters[i].write(w)
	}
	w.Int(int64(s.Low))
	w.Int(int64(s.LastStart - s.Low))
	w.Int(int64(s.LastEnd - s.Low))
	w.Text(string(s.Verdict.DuplicateOf.ID))
	w.Int(int64(s.Verdict.DuplicateOf.Arrival))
	w.Int(int64(s.Verdict.DuplicateOf.At))
	w.Text(string(s.Verdict.Self))
	w.Int(int64(s.Heard))
	w.Int(int64(s.Told))
	w.Int(int64(s.Shift))
	w.Uint(uint64(len(s.Seen)))
	for i := range s.Seen {
		w.Text(s.Seen[i].Key)
		w.Uint(uint64(s.Seen[i].Registry))
		w.Uint(uint64(s.Seen[i].Tariffs))
	}
	s.writeBilling(w)
	return w.Bytes()
}

func (s *Session) writeBilling(w *codecs.Writer) {
	w.Uint(uint64(len(s.Hours)))
	for i := range s.Hours {
		s.Hours[i].write(w)
	}
	w.Uint(uint64(len(s.Decisions)))
	for i := range s.Decisions {
		s.Decisions[i].write(w)
	}
	w.Uint(uint64(len(s.Signed)))
	for i := range s.Signed {
		v := &s.Signed[i]
		w.Int(int64(v.At))
		w.Int(int64(v.Arrival - v.At))
		w.Text(v.Text)
	}
}

// DecodeSession reads what Append wrote.
func DecodeSession(row []byte) (*Session, error) {
	r, err := codecs.NewReader(row, codecs.KindSession, sessionVersion)
	if err != nil {
		return nil, err
	}
	s := &Session{StationID: chargestream.StationID(r.Text())}
	s.Verdict.Known = r.Byte()&flagVerdict != 0
	for range r.Count() {
		s.Starts = append(s.Starts, readStart(r))
	}
	for range r.Count() {
		s.Ends = append(s.Ends, readEnd(r))
	}
	for range r.Count() {
		s.Quarters = append(s.Quarters, readQuarter(r))
	}
	s.Low = chargestream.Millis(r.Int())
	s.LastStart = s.Low + chargestream.Millis(r.Int())
	s.LastEnd = s.Low + chargestream.Millis(r.Int())
	s.Verdict.DuplicateOf.ID = chargestream.SessionID(r.Text())
	s.Verdict.DuplicateOf.Arrival = chargestream.Millis(r.Int())
	s.Verdict.DuplicateOf.At = chargestream.Millis(r.Int())
	s.Verdict.Self = chargestream.SessionID(r.Text())
	s.Heard, s.Told = chargestream.Millis(r.Int()), chargestream.Millis(r.Int())
	s.Shift = int(r.Int())
	for range r.Count() {
		s.Seen = append(s.Seen, Seen{Key: r.Text(), Registry: int(r.Uint()),
			Tariffs: int(r.Uint())})
	}
	s.readBilling(r)
	return s, r.Close()
}

func (s *Session) readBilling(r *codecs.Reader) {
	for range r.Count() {
		s.Hours = append(s.Hours, readSessionHour(r))
	}
	for range r.Count() {
		s.Decisions = append(s.Decisions, readDecision(r))
	}
	for range r.Count() {
		v := Signed{At: chargestream.Millis(r.Int())}
		v.Arrival = v.At + chargestream.Millis(r.Int())
		v.Text = r.Text()
		s.Signed = append(s.Signed, v)
	}
}

func (h *SessionHour) write(w *codecs.Writer) {
	w.Text(string(h.ConnectorID))
	w.Int(int64(h.Start / chargestream.Hour))
	w.Int(int64(h.Answered))
	w.Uint(uint64(len(h.Transitions)))
	for i := range h.Transitions {
		h.Transitions[i].write(w)
	}
	w.Uint(uint64(len(h.Loads)))
	for i := range h.Loads {
		h.Loads[i].write(w)
	}
	w.Uint(uint64(len(h.Overlaps)))
	for i := range h.Overlaps {
		w.Text(string(h.Overlaps[i].ID))
		h.Overlaps[i].Interval.write(w)
		w.Byte(flag(h.Overlaps[i].Copy, 1))
	}
}

func readSessionHour(r *codecs.Reader) SessionHour {
	h := SessionHour{ConnectorID: chargestream.ConnectorID(r.Text())}
	h.Start = chargestream.Millis(r.Int()) * chargestream.Hour
	h.Answered = chargestream.Millis(r.Int())
	for range r.Count() {
		h.Transitions = append(h.Transitions, readTransition(r))
	}
	for range r.Count() {
		h.Loads = append(h.Loads, readQuarter(r))
	}
	for range r.Count() {
		id := chargestream.SessionID(r.Text())
		o := Overlap{ID: id, Interval: readInterval(r)}
		o.Copy = r.Byte() != 0
		h.Overlaps = append(h.Overlaps, o)
	}
	return h
}

// write writes a decision without its station, which is that of the row.
func (d *Decision) write(w *codecs.Writer) {
	w.Int(int64(d.Arrival))
	w.Int(int64(d.Time - d.Arrival))
	w.Text(d.DecisionID)
	w.Text(d.By)
	w.Text(d.Reason)
	w.Text(string(d.Action))
	w.Uint(uint64(len(d.Holds)))
	for _, reason := range d.Holds {
		w.Text(string(reason))
	}
	c := &d.Correction
	writeEnergy(w, c.Energy)
	w.Int(int64(c.StartTime))
	w.Int(int64(c.EndTime))
	w.Text(string(c.UserID))
	w.Text(string(c.TariffID))
}

func readDecision(r *codecs.Reader) Decision {
	d := Decision{Arrival: chargestream.Millis(r.Int())}
	d.Time = d.Arrival + chargestream.Millis(r.Int())
	d.DecisionID, d.By, d.Reason = r.Text(), r.Text(), r.Text()
	d.Action = chargestream.DecisionAction(r.Text())
	for range r.Count() {
		d.Holds = append(d.Holds, chargestream.HoldReason(r.Text()))
	}
	c := &d.Correction
	c.Energy = readEnergy(r)
	c.StartTime, c.EndTime = chargestream.Millis(r.Int()), chargestream.Millis(r.Int())
	c.UserID = chargestream.UserID(r.Text())
	c.TariffID = chargestream.TariffID(r.Text())
	return d
}
