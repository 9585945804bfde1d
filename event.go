package chargestream

// Event is one of StatusReport, MeterValue, Heartbeat, SessionStart, SessionEnd and
// SessionRecord, what a station says, or a Decision about what it said.
type Event interface {
	// Station is the station that the event is of, and so the record's key.
	Station() StationID
	// At is the event time: the latest moment that the event reports.
	At() Millis
	// Scope is what the event is about.
	Scope() Scope
}

// Scope is what an event is about: a session, a connector, and a span of time. Each is empty, or
// zero, where the event names none. The bills that an event can change are those of its session,
// and of the sessions of its connector in the hours of its span. The connector counts for the bound
// of connectors of a station.
type Scope struct {
	SessionID   SessionID
	ConnectorID ConnectorID
	From, To    Millis
}

// StatusReport is a StatusNotification of OCPP: from Time on, the connector is in this status.
type StatusReport struct {
	StationID   StationID
	ConnectorID ConnectorID
	Time        Millis
	Status      string // the word as it was sent
	ErrorCode   string // OCPP errorCode; empty where there was none
}

// MeterValue is one sample of a connector's meter. What a sample does not tell is nil.
type MeterValue struct {
	StationID   StationID
	ConnectorID ConnectorID
	SessionID   SessionID // empty where the sample names none
	Time        Millis
	Energy      *WattHours // Energy.Active.Import.Register
	Power       *Watts     // Power.Active.Import
	Current     *Milliamps
	Voltage     *Millivolts
	SoC         *Permille
	Context     string // OCPP ReadingContext
	Signed      string // a signed meter value (OCMF), byte for byte; empty for none
}

// Heartbeat says that the station is alive.
type Heartbeat struct {
	StationID StationID
	Time      Millis
}

// SessionStart is a StartTransaction of OCPP 1.6 or a TransactionEvent Started of 2.0.1.
type SessionStart struct {
	StationID   StationID
	ConnectorID ConnectorID
	SessionID   SessionID
	UserID      UserID
	Time        Millis
	Meter       *WattHours // register at the start
	Signed      string     // the signed value of the begin (OCMF); empty for none
}

// SessionEnd is a StopTransaction of OCPP 1.6 or a TransactionEvent Ended of 2.0.1. Energy and
// Meter are nil where the station did not tell them.
type SessionEnd struct {
	StationID   StationID
	ConnectorID ConnectorID // empty where the event names none
	SessionID   SessionID
	UserID      UserID
	Time        Millis
	Energy      *WattHours // delivered in the session
	Meter       *WattHours // register at the end
	Reason      string
	Signed      string // the signed value of the end, or of begin and end (OCMF)
}

// SessionRecord is start and end in one, as back offices and open data have them.
type SessionRecord struct {
	Start SessionStart
	End   SessionEnd
}

// Station implements Event.
func (e *StatusReport) Station() StationID { return e.StationID }

// At implements Event.
func (e *StatusReport) At() Millis { return e.Time }

// Station implements Event.
func (e *MeterValue) Station() StationID { return e.StationID }

// At implements Event.
func (e *MeterValue) At() Millis { return e.Time }

// Station implements Event.
func (e *Heartbeat) Station() StationID { return e.StationID }

// At implements Event.
func (e *Heartbeat) At() Millis { return e.Time }

// Station implements Event.
func (e *SessionStart) Station() StationID { return e.StationID }

// At implements Event.
func (e *SessionStart) At() Millis { return e.Time }

// Station implements Event.
func (e *SessionEnd) Station() StationID { return e.StationID }

// At implements Event.
func (e *SessionEnd) At() Millis { return e.Time }

// Station implements Event.
func (e *SessionRecord) Station() StationID { return e.Start.StationID }

// At implements Event: the end, as nothing can be recorded before it, unless that is before the
// start.
func (e *SessionRecord) At() Millis { return max(e.Start.Time, e.End.Time) }

// Scope implements Event.
func (e *StatusReport) Scope() Scope {
	return Scope{ConnectorID: e.ConnectorID, From: e.Time, To: e.Time}
}

// Scope implements Event.
func (e *MeterValue) Scope() Scope {
	return Scope{SessionID: e.SessionID, ConnectorID: e.ConnectorID, From: e.Time, To: e.Time}
}

// Scope implements Event.
func (e *Heartbeat) Scope() Scope { return Scope{From: e.Time, To: e.Time} }

// Scope implements Event.
func (e *SessionStart) Scope() Scope {
	return Scope{SessionID: e.SessionID, ConnectorID: e.ConnectorID, From: e.Time, To: e.Time}
}

// Scope implements Event.
func (e *SessionEnd) Scope() Scope {
	return Scope{SessionID: e.SessionID, ConnectorID: e.ConnectorID, From: e.Time, To: e.Time}
}

// Scope implements Event.
func (e *SessionRecord) Scope() Scope {
	return Scope{SessionID: e.Start.SessionID, ConnectorID: e.Start.ConnectorID,
		From: min(e.Start.Time, e.End.Time), To: max(e.Start.Time, e.End.Time)}
}
