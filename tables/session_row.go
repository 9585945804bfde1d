package tables

import (
	"chargestream"
	"chargestream/codecs"
)

// Append appends the row to buf; docs/format/session.md draws it.
func (s *Session) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindSession, sessionVersion)
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
	s.Marks.write(w)
	return w.Bytes()
}

func (m *Marks) write(w *codecs.Writer) {
	w.Int(int64(m.BilledUpTo))
	w.Int(int64(m.WakeAt))
	w.Int(int64(m.RevisionOffset))
	w.Uint(uint64(len(m.References)))
	for i := range m.References {
		w.Text(string(m.References[i].Tariff))
		w.Uint(uint64(m.References[i].Revisions))
	}
	w.Uint(uint64(m.Documents))
	w.Uint(uint64(len(m.Holds)))
	for _, reason := range m.Holds {
		w.Text(string(reason))
	}
	w.Text(string(m.DuplicateOf))
}

func readMarks(r *codecs.Reader) Marks {
	m := Marks{BilledUpTo: chargestream.Millis(r.Int()), WakeAt: chargestream.Millis(r.Int()),
		RevisionOffset: int(r.Int())}
	for range r.Count() {
		m.References = append(m.References,
			Reference{Tariff: chargestream.TariffID(r.Text()), Revisions: int(r.Uint())})
	}
	m.Documents = int(r.Uint())
	for range r.Count() {
		m.Holds = append(m.Holds, chargestream.HoldReason(r.Text()))
	}
	m.DuplicateOf = chargestream.SessionID(r.Text())
	return m
}

// DecodeSession reads what Append wrote.
func DecodeSession(row []byte) (*Session, error) {
	r, err := codecs.NewReader(row, codecs.KindSession, sessionVersion)
	if err != nil {
		return nil, err
	}
	s := &Session{}
	for range r.Count() {
		s.Starts = append(s.Starts, readStart(r))
	}
	for range r.Count() {
		s.Ends = append(s.Ends, readEnd(r))
	}
	if n := r.Count(); n > 0 {
		s.Quarters = make([]Quarter, 0, min(n, SessionQuartersMax))
		for range n {
			s.Quarters = append(s.Quarters, readQuarter(r))
		}
	}
	s.Low = chargestream.Millis(r.Int())
	s.LastStart = s.Low + chargestream.Millis(r.Int())
	s.LastEnd = s.Low + chargestream.Millis(r.Int())
	for range r.Count() {
		s.Decisions = append(s.Decisions, readDecision(r))
	}
	for range r.Count() {
		v := Signed{At: chargestream.Millis(r.Int())}
		v.Arrival = v.At + chargestream.Millis(r.Int())
		v.Text = r.Text()
		s.Signed = append(s.Signed, v)
	}
	s.Marks = readMarks(r)
	return s, r.Close()
}

// write writes a decision without its station and session, which are those of the row.
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
