// Package oracle tells what must come out, worked out from all input at once, on one thread and in
// the plainest way: Expect when a file of session records has been imported, PriceUsage what a
// session costs, asked second by second, and History the list of a session's invoices and credit
// notes, made anew for each moment.
//
// It holds its own reader, its own arithmetic and its own plain types. It refuses to know the
// folds, the bytes, the topics and the engine that it judges: it imports nothing of the project,
// so that a mistake made there cannot be made here by the same line.
//
// All points in time are milliseconds since 1970-01-01T00:00:00Z, energy is in Wh and money in
// cents, each an int64.
package oracle

import "time"

const (
	secondMs int64 = 1000
	hourMs         = 3600 * secondMs
	dayMs          = 24 * hourMs

	graceMs  = 600 * secondMs           // an arrival later than window end + this is late
	skewMs   = 300 * secondMs           // an event further ahead of its arrival is skewed
	lateMax  = 8                        // distinct late arrivals that a window counts
	noTime   = int64(0)                 // the time of an end that never came
	dayForm  = "2006-01-02"             // a UTC day in an anomaly's key
	hourForm = "2006-01-02T15:04:05Z07" // a window's start in its key
)

// Reasons to hold an invoice.
const (
	HoldDuplicate        = "duplicate_session"
	HoldNotEnded         = "session_not_ended"
	HoldNoEnergy         = "no_energy"
	HoldClockSkew        = "clock_skew"
	HoldNegativeDuration = "negative_duration"
)

// Kinds of Anomaly.
const (
	KindDuplicate = "duplicate_session"
	KindNotEnded  = "session_not_ended"
	KindOverlap   = "overlapping_sessions"
	KindClockSkew = "clock_skew"
)

// States of an Anomaly. In what Expect gives, StateAny stands where either will do.
const (
	StateAny    = ""
	StateOpen   = "open"
	StateClosed = "closed"
)

// Expected is all that must come out of a file. The maps' keys are: the session id for Sessions
// and Invoices, the user for Users, WindowKey for Windows, ConnectorKey for Connectors and
// AnomalyKey or SkewKey for Anomalies.
type Expected struct {
	Sessions   map[string]Session
	Invoices   map[string]Invoice
	Users      map[string]UserTotal
	Windows    map[string]Window
	Connectors map[string]int64 // occupied seconds; zero where a connector was never occupied
	Anomalies  map[string]Anomaly

	EnergyWh       int64 // over all sessions that ended with a known energy
	IssuedEnergyWh int64 // over those whose invoice is issued
}

// Session is what must be known of one session at the end. EndMs is zero without an end, and
// EnergyWh is zero without an energy; energy is told by the end, so there is none without one.
type Session struct {
	Station   string
	Connector string
	User      string
	StartMs   int64
	HasEnd    bool
	EndMs     int64
	HasEnergy bool
	EnergyWh  int64
}

// Invoice is the one live invoice of a session. Live is how many live invoices the session has:
// one in what Expect gives, more where AddInvoice met a second one. DurationS and EndMs are zero
// without an end, EnergyWh is zero where it is unknown. Reasons are sorted.
type Invoice struct {
	Live      int
	Station   string
	Connector string
	User      string
	Currency  string
	StartMs   int64
	EndMs     int64
	DurationS int64
	EnergyWh  int64
	Held      bool
	Reasons   []string
	Lines     []Line
	ExclCents int64
	VATCents  int64
	InclCents int64
}

// Line is one line of an Invoice. Quantity is in Wh for ENERGY and in whole seconds for TIME.
// UnitPrice (for a kWh, for an hour) and VATPercent are written as Decimal writes them.
type Line struct {
	Dimension  string
	Quantity   int64
	UnitPrice  string
	VATPercent string
	ExclCents  int64
	VATCents   int64
	InclCents  int64
}

// UserTotal is what all invoices of one user come to; IssuedCents includes VAT.
type UserTotal struct {
	Issued      int
	Held        int
	IssuedCents int64
}

// Window is one clock hour in UTC of one connector. OccupiedS and UnknownS add up to the hour.
type Window struct {
	Station   string
	Connector string
	StartMs   int64
	OccupiedS int64
	UnknownS  int64
	EnergyWh  int64
	Sessions  int // that started in the window, duplicates not counted
	Revision  int
}

// Anomaly is one that must have been told. Count is how many there are under one key: one in
// what Expect gives, more where AddAnomaly met a second one.
type Anomaly struct {
	Count   int
	Kind    string
	Station string
	State   string
}

// New is an Expected that holds nothing yet, to be filled with what really came out.
func New() *Expected {
	return &Expected{
		Sessions:   map[string]Session{},
		Invoices:   map[string]Invoice{},
		Users:      map[string]UserTotal{},
		Windows:    map[string]Window{},
		Connectors: map[string]int64{},
		Anomalies:  map[string]Anomaly{},
	}
}

// AddInvoice notes one live invoice of a session. The first is kept and counted once, each
// further one only raises Live, so that Diff sees that there are too many.
func (x *Expected) AddInvoice(session string, v Invoice) {
	v.Live = 1
	if first, ok := x.Invoices[session]; ok {
		first.Live++
		v = first
	}
	x.Invoices[session] = v
}

// AddAnomaly notes one anomaly in its last state, under AnomalyKey or SkewKey. The first is
// kept, each further one raises Count.
func (x *Expected) AddAnomaly(key string, a Anomaly) {
	a.Count = 1
	if first, ok := x.Anomalies[key]; ok {
		first.Count++
		a = first
	}
	x.Anomalies[key] = a
}

// Total fills Users, EnergyWh and IssuedEnergyWh from Invoices and Sessions. Expect does so; who
// reads users' totals from elsewhere sets Users afterwards.
func (x *Expected) Total() {
	x.Users = map[string]UserTotal{}
	x.EnergyWh, x.IssuedEnergyWh = 0, 0
	for _, v := range x.Invoices {
		u := x.Users[v.User]
		if v.Held {
			u.Held++
		} else {
			u.Issued++
			u.IssuedCents += v.InclCents
			x.IssuedEnergyWh += v.EnergyWh
		}
		x.Users[v.User] = u
	}
	for _, s := range x.Sessions {
		x.EnergyWh += s.EnergyWh
	}
}

// ConnectorKey names a connector of a station in Connectors.
func ConnectorKey(station, connector string) string { return station + "/" + connector }

// WindowKey names the hour of a connector that starts at startMs in Windows.
func WindowKey(station, connector string, startMs int64) string {
	return ConnectorKey(station, connector) + "/" + time.UnixMilli(startMs).UTC().Format(hourForm)
}

// AnomalyKey names an anomaly about one session: of a reason to hold its bill, or of its meter.
func AnomalyKey(kind, session string) string { return kind + "/" + session }

// OverlapKey names the overlap of two sessions, given in either order.
func OverlapKey(a, b string) string {
	if b < a {
		a, b = b, a
	}
	return KindOverlap + "/" + a + "/" + b
}

// SkewKey names the clock skew of a station on the UTC day of an arrival.
func SkewKey(station string, arrivalMs int64) string {
	return KindClockSkew + "/" + station + "/" + time.UnixMilli(arrivalMs).UTC().Format(dayForm)
}

func wholeSeconds(ms int64) int64 { return ms / secondMs }
