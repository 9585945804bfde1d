package tables

import (
	"chargestream"
	"chargestream/codecs"
)

// Versions of the rows as they are written. A row of another version is refused: its table is
// rebuilt by replay.
const (
	stationVersion  = 2
	sessionVersion  = 2
	hourVersion     = 2
	hourPartVersion = 2
)

// Bits of the flags byte of a pending session, of a session and of an hour.
const (
	flagSettled = 1 << iota
	_
	flagVerdict
	flagThrough
	flagClosed
)

// slotTold is the bit of a connector's slot, behind the one that says that there is one.
const slotTold = 2

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

// Append writes the row to buf[:0]; docs/format/station.md draws it.
func (s *Station) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindStation, stationVersion)
	w.Text(string(s.ID))
	w.Int(int64(s.LastSeen))
	w.Uint(uint64(len(s.Connectors)))
	for i := range s.Connectors {
		s.Connectors[i].write(w, s.LastSeen)
	}
	w.Uint(uint64(len(s.Pending)))
	for i := range s.Pending {
		p := &s.Pending[i]
		w.Text(string(p.ID))
		w.Text(string(p.ConnectorID))
		w.Int(int64(p.Start))
		w.Int(int64(p.End))
		w.Int(int64(p.Arrival))
		w.Byte(flag(p.Settled, flagSettled))
	}
	w.Uint(uint64(len(s.Ticks)))
	for i := range s.Ticks {
		t := &s.Ticks[i]
		w.Int(int64(t.At))
		w.Text(string(t.ID))
		if t.ID == "" {
			w.Text(string(t.ConnectorID))
			w.Int(int64(t.Hour / chargestream.Hour))
		}
	}
	w.Uint(uint64(len(s.Skews)))
	for i := range s.Skews {
		d := &s.Skews[i]
		w.Int(int64(d.Day / chargestream.Day))
		w.Int(int64(d.First - d.Day))
		w.Int(int64(d.Ahead))
	}
	return w.Bytes()
}

func (c *Connector) write(w *codecs.Writer, seen chargestream.Millis) {
	w.Text(string(c.ID))
	w.Uint(uint64(len(c.Statuses)))
	for i := range c.Statuses {
		st := &c.Statuses[i]
		w.Int(int64(st.At - seen))
		w.Byte(byte(st.State)<<4 | byte(st.Activity))
		w.Text(st.Word)
		w.Text(st.ErrorCode)
	}
	w.Int(int64(c.Meter.Time))
	writeEnergy(w, c.Meter.Energy)
	writeEnergy(w, (*chargestream.WattHours)(c.Meter.Power))
	writeEnergy(w, (*chargestream.WattHours)(c.Meter.SoC))
	w.Int(int64(c.Running.StartedAt))
	w.Text(string(c.Running.ID))
	w.Text(string(c.Running.UserID))
	w.Int(int64(c.LastEnd))
	w.Int(int64(c.Boundary))
	if c.Slot.From == 0 {
		w.Byte(0)
		return
	}
	w.Byte(1 | flag(c.SlotTold && !c.over(seen), slotTold))
	w.Text(string(c.SlotSession))
	c.Slot.write(w)
}

// DecodeStation reads what Append wrote.
func DecodeStation(row []byte) (*Station, error) {
	r, err := codecs.NewReader(row, codecs.KindStation, stationVersion)
	if err != nil {
		return nil, err
	}
	s := &Station{ID: chargestream.StationID(r.Text()), LastSeen: chargestream.Millis(r.Int())}
	for range r.Count() {
		s.Connectors = append(s.Connectors, readConnector(r, s.LastSeen))
	}
	for range r.Count() {
		s.Pending = append(s.Pending, Pending{ID: chargestream.SessionID(r.Text()),
			ConnectorID: chargestream.ConnectorID(r.Text()),
			Start:       chargestream.Millis(r.Int()), End: chargestream.Millis(r.Int()),
			Arrival: chargestream.Millis(r.Int()), Settled: r.Byte()&flagSettled != 0})
	}
	for range r.Count() {
		t := Tick{At: chargestream.Millis(r.Int()), ID: chargestream.SessionID(r.Text())}
		if t.ID == "" {
			t.ConnectorID = chargestream.ConnectorID(r.Text())
			t.Hour = chargestream.Millis(r.Int()) * chargestream.Hour
		}
		s.Ticks = append(s.Ticks, t)
	}
	for range r.Count() {
		d := SkewDay{Day: chargestream.Millis(r.Int()) * chargestream.Day}
		d.First = d.Day + chargestream.Millis(r.Int())
		d.Ahead = chargestream.Millis(r.Int())
		s.Skews = append(s.Skews, d)
	}
	return s, r.Close()
}

func readConnector(r *codecs.Reader, seen chargestream.Millis) Connector {
	c := Connector{ID: chargestream.ConnectorID(r.Text())}
	for range r.Count() {
		st := Status{At: seen + chargestream.Millis(r.Int())}
		b := r.Byte()
		st.State, st.Activity = chargestream.State(b>>4), chargestream.Activity(b&0xf)
		st.Word, st.ErrorCode = r.Text(), r.Text()
		c.Statuses = append(c.Statuses, st)
	}
	c.Meter.Time = chargestream.Millis(r.Int())
	c.Meter.Energy = readEnergy(r)
	c.Meter.Power = (*chargestream.Watts)(readEnergy(r))
	c.Meter.SoC = (*chargestream.Permille)(readEnergy(r))
	c.Running.StartedAt = chargestream.Millis(r.Int())
	c.Running.ID = chargestream.SessionID(r.Text())
	c.Running.UserID = chargestream.UserID(r.Text())
	c.LastEnd = chargestream.Millis(r.Int())
	c.Boundary = chargestream.Millis(r.Int())
	if slot := r.Byte(); slot != 0 {
		c.SlotTold = slot&slotTold != 0
		c.SlotSession = chargestream.SessionID(r.Text())
		c.Slot = readQuarter(r)
	}
	return c
}

// Append writes the row to buf[:0]; docs/format/hour.md draws it.
func (h *Hour) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindHour, hourVersion)
	h.write(w)
	return w.Bytes()
}

func (h *Hour) write(w *codecs.Writer) {
	w.Byte(flag(h.Through, flagThrough) | flag(h.Closed, flagClosed))
	w.Int(int64(h.Heard))
	h.Carry.write(w)
	w.Uint(uint64(len(h.Transitions)))
	for i := range h.Transitions {
		h.Transitions[i].write(w)
	}
	w.Uint(uint64(len(h.Stays)))
	for i := range h.Stays {
		h.Stays[i].write(w)
	}
	w.Uint(uint64(len(h.Loads)))
	for i := range h.Loads {
		h.Loads[i].write(w)
	}
}

func (t *Transition) write(w *codecs.Writer) {
	w.Int(int64(t.At))
	if t.At != 0 {
		w.Int(int64(t.Arrival))
		w.Byte(byte(t.State)<<4 | byte(t.Activity))
	}
}

func readTransition(r *codecs.Reader) Transition {
	t := Transition{At: chargestream.Millis(r.Int())}
	if t.At != 0 {
		t.Arrival = chargestream.Millis(r.Int())
		b := r.Byte()
		t.State, t.Activity = chargestream.State(b>>4), chargestream.Activity(b&0xf)
	}
	return t
}

func (s *Stay) write(w *codecs.Writer) {
	w.Text(string(s.ID))
	w.Uint(uint64(len(s.Begins)))
	for _, b := range s.Begins {
		w.Int(int64(b.At))
		w.Int(int64(b.Arrival - b.At))
	}
	w.Int(int64(s.Heard))
	w.Byte(flag(s.Whole, flagSettled))
	s.Span.write(w)
	s.Interval.write(w)
}

func (in *Interval) write(w *codecs.Writer) {
	w.Int(int64(in.From))
	if in.From == 0 {
		return
	}
	w.Int(int64(in.To - in.From))
	w.Int(int64(in.StartArrival - in.From))
	w.Int(int64(in.EndArrival - in.To))
	writeEnergy(w, in.StartMeter)
	writeEnergy(w, in.EndEnergy)
	writeEnergy(w, in.EndMeter)
	w.Int(in.Measure)
	w.Int(int64(in.Energy))
	w.Int(int64(in.Due - in.To))
}

func readStay(r *codecs.Reader) Stay {
	s := Stay{ID: chargestream.SessionID(r.Text())}
	for range r.Count() {
		b := Begin{At: chargestream.Millis(r.Int())}
		b.Arrival = b.At + chargestream.Millis(r.Int())
		s.Begins = append(s.Begins, b)
	}
	s.Heard = chargestream.Millis(r.Int())
	s.Whole = r.Byte() != 0
	s.Span = readInterval(r)
	s.Interval = readInterval(r)
	return s
}

func readInterval(r *codecs.Reader) Interval {
	in := Interval{From: chargestream.Millis(r.Int())}
	if in.From == 0 {
		return in
	}
	in.To = in.From + chargestream.Millis(r.Int())
	in.StartArrival = in.From + chargestream.Millis(r.Int())
	in.EndArrival = in.To + chargestream.Millis(r.Int())
	in.StartMeter, in.EndEnergy, in.EndMeter = readEnergy(r), readEnergy(r), readEnergy(r)
	in.Measure = r.Int()
	in.Energy = chargestream.WattHours(r.Int())
	in.Due = in.To + chargestream.Millis(r.Int())
	return in
}

// DecodeHour reads what Append wrote.
func DecodeHour(row []byte) (*Hour, error) {
	r, err := codecs.NewReader(row, codecs.KindHour, hourVersion)
	if err != nil {
		return nil, err
	}
	h := readHour(r)
	return h, r.Close()
}

func readHour(r *codecs.Reader) *Hour {
	h := &Hour{}
	flags := r.Byte()
	h.Through, h.Closed = flags&flagThrough != 0, flags&flagClosed != 0
	h.Heard = chargestream.Millis(r.Int())
	h.Carry = readTransition(r)
	for range r.Count() {
		h.Transitions = append(h.Transitions, readTransition(r))
	}
	for range r.Count() {
		h.Stays = append(h.Stays, readStay(r))
	}
	for range r.Count() {
		h.Loads = append(h.Loads, readQuarter(r))
	}
	return h
}

// AppendPart writes the part, without its key, to buf[:0].
func (p *HourPart) AppendPart(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindHourPart, hourPartVersion)
	w.Text(string(p.Check))
	w.Int(int64(p.Heard))
	p.Row.write(w)
	return w.Bytes()
}

// DecodeHourPart reads what AppendPart wrote; the key stands beside it in the topic.
func DecodeHourPart(key string, value []byte) (*HourPart, error) {
	k, err := ParseHourKey(key)
	if err != nil {
		return nil, err
	}
	r, err := codecs.NewReader(value, codecs.KindHourPart, hourPartVersion)
	if err != nil {
		return nil, err
	}
	p := &HourPart{Key: k, Check: chargestream.SessionID(r.Text()),
		Heard: chargestream.Millis(r.Int())}
	p.Row = *readHour(r)
	return p, r.Close()
}
