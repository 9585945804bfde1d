package tables

import (
	"chargestream"
	"chargestream/codecs"
)

// Layout is the version of the rows as a whole: tables that were written under another one are
// built again from the inputs. Raise it with any of the versions below.
const Layout = 4

// Versions of the rows as they are written.
const (
	stationVersion = 4
	sessionVersion = 3
	hourVersion    = 3
)

// Bits of the flags byte of an hour.
const (
	flagCoversEnd = 1 << iota
	flagClosed
)

// Bits of the flags byte of a session within an hour.
const (
	flagDecided = 1 << iota
	flagEndEnergy
)

// quarterFlushed is the bit of a connector's open quarter, behind the one that says that there is
// one.
const quarterFlushed = 2

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

// Append appends the row to buf; docs/format/station.md draws it. The station's id is that of the
// key.
func (s *Station) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindStation, stationVersion)
	w.Int(int64(s.LastSeen))
	w.Text(string(s.Site))
	w.Uint(uint64(len(s.Connectors)))
	for i := range s.Connectors {
		s.Connectors[i].write(w, s.LastSeen)
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
	w.Int(int64(c.LastEdge))
	if c.Open.From == 0 {
		w.Byte(0)
		return
	}
	w.Byte(1 | flag(c.Flushed && !c.over(seen), quarterFlushed))
	w.Text(string(c.OpenSession))
	c.Open.write(w)
}

// DecodeStation reads what Append wrote, of the row of a station.
func DecodeStation(id chargestream.StationID, row []byte) (*Station, error) {
	r, err := codecs.NewReader(row, codecs.KindStation, stationVersion)
	if err != nil {
		return nil, err
	}
	s := &Station{ID: id, LastSeen: chargestream.Millis(r.Int())}
	s.Site = chargestream.SiteID(r.Text())
	for range r.Count() {
		s.Connectors = append(s.Connectors, readConnector(r, s.LastSeen))
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
	c.LastEdge = chargestream.Millis(r.Int())
	if open := r.Byte(); open != 0 {
		c.Flushed = open&quarterFlushed != 0
		c.OpenSession = chargestream.SessionID(r.Text())
		c.Open = readQuarter(r)
	}
	return c
}

// Append appends the row to buf; docs/format/hour.md draws it.
func (h *Hour) Append(buf []byte) []byte {
	w := codecs.NewWriter(buf, codecs.KindHour, hourVersion)
	w.Byte(flag(h.CoversEnd, flagCoversEnd) | flag(h.Closed, flagClosed))
	h.Opening.write(w)
	w.Uint(uint64(len(h.Transitions)))
	for i := range h.Transitions {
		h.Transitions[i].write(w)
	}
	w.Uint(uint64(len(h.Sessions)))
	for i := range h.Sessions {
		h.Sessions[i].write(w)
	}
	w.Uint(uint64(len(h.Quarters)))
	for i := range h.Quarters {
		h.Quarters[i].write(w)
	}
	return w.Bytes()
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

func (s *HourSession) write(w *codecs.Writer) {
	w.Text(string(s.ID))
	w.Uint(uint64(len(s.Starts)))
	for _, c := range s.Starts {
		w.Int(int64(c.At))
		w.Int(int64(c.Arrival - c.At))
	}
	w.Byte(flag(s.Decided, flagDecided) | flag(s.EndEnergy != nil, flagEndEnergy))
	w.Int(int64(s.From))
	if s.From == 0 {
		return
	}
	w.Int(int64(s.To - s.From))
	w.Int(int64(s.StartArrival - s.From))
	w.Int(int64(s.EndArrival - s.To))
	w.Int(int64(s.Due - s.To))
	w.Int(int64(s.Energy))
	if s.EndEnergy != nil {
		w.Int(int64(*s.EndEnergy))
	}
}

func readHourSession(r *codecs.Reader) HourSession {
	s := HourSession{ID: chargestream.SessionID(r.Text())}
	for range r.Count() {
		c := HourStart{At: chargestream.Millis(r.Int())}
		c.Arrival = c.At + chargestream.Millis(r.Int())
		s.Starts = append(s.Starts, c)
	}
	flags := r.Byte()
	s.Decided = flags&flagDecided != 0
	if s.From = chargestream.Millis(r.Int()); s.From == 0 {
		return s
	}
	s.To = s.From + chargestream.Millis(r.Int())
	s.StartArrival = s.From + chargestream.Millis(r.Int())
	s.EndArrival = s.To + chargestream.Millis(r.Int())
	s.Due = s.To + chargestream.Millis(r.Int())
	s.Energy = chargestream.WattHours(r.Int())
	if flags&flagEndEnergy != 0 {
		energy := chargestream.WattHours(r.Int())
		s.EndEnergy = &energy
	}
	return s
}

// DecodeHour reads what Append wrote.
func DecodeHour(row []byte) (*Hour, error) {
	r, err := codecs.NewReader(row, codecs.KindHour, hourVersion)
	if err != nil {
		return nil, err
	}
	h := &Hour{}
	flags := r.Byte()
	h.CoversEnd, h.Closed = flags&flagCoversEnd != 0, flags&flagClosed != 0
	h.Opening = readTransition(r)
	for range r.Count() {
		h.Transitions = append(h.Transitions, readTransition(r))
	}
	for range r.Count() {
		h.Sessions = append(h.Sessions, readHourSession(r))
	}
	for range r.Count() {
		h.Quarters = append(h.Quarters, readQuarter(r))
	}
	return h, r.Close()
}
