package chargestream

import "strings"

// State is one of the five states in which a driver can find a connector.
type State uint8

// The states of a connector. Their order is the rank by which two reports of the same moment
// are told apart: the one that promises less to a driver wins.
const (
	// StateUnknown is the state before anything was heard.
	StateUnknown State = iota
	// StateAvailable: free to plug in.
	StateAvailable
	// StateReserved: kept for somebody.
	StateReserved
	// StateOccupied: a vehicle is plugged in, or is about to be.
	StateOccupied
	// StateUnavailable: taken out of service.
	StateUnavailable
	// StateFaulted: broken.
	StateFaulted
)

var stateNames = [...]string{
	"unknown",
	"available",
	"reserved",
	"occupied",
	"unavailable",
	"faulted",
}

// String is the state's word in JSON.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what String wrote; any other word is StateUnknown.
func (s *State) UnmarshalText(text []byte) error {
	*s = StateUnknown
	for i, name := range stateNames {
		if name == string(text) {
			*s = State(i)
		}
	}
	return nil
}

// Activity tells what an occupied connector does, as far as its status word says it.
type Activity uint8

// The activities of an occupied connector.
const (
	// ActivityUnknown: the word does not tell; the meter may.
	ActivityUnknown Activity = iota
	// ActivityIdle: plugged in, no energy flows; whether the vehicle asks for it is not told, or
	// the station has suspended it.
	ActivityIdle
	// ActivityCharging: energy flows.
	ActivityCharging
	// ActivityParked: plugged in, and the vehicle does not ask for power: what OCPI 2.2.1 bills as
	// PARKING_TIME (mod_cdrs, as of 2026-05).
	ActivityParked
)

type meaning struct {
	state    State
	activity Activity
}

// statusWords is every status of a connector, folded: those of OCPP 1.5 and 1.6
// (StatusNotification.req), of OCPP 2.0.1 and 2.1 (ConnectorStatusEnumType, and the charging states
// that vendors send in its place), of OCPI 2.1.1 and 2.2.1 (Status), of OICP 2.3, which Hubject
// speaks (EVSEStatus), and the two plain words.
//
// Idle is none of them: as a charging state of OCPP 2.0.1 it is a connector without a vehicle, and
// in other systems one with a vehicle that does not charge.
var statusWords = map[string]meaning{
	"free":          {StateAvailable, ActivityUnknown},
	"available":     {StateAvailable, ActivityUnknown},
	"occupied":      {StateOccupied, ActivityUnknown},
	"preparing":     {StateOccupied, ActivityIdle},
	"charging":      {StateOccupied, ActivityCharging},
	"suspendedev":   {StateOccupied, ActivityParked},
	"suspendedevse": {StateOccupied, ActivityIdle},
	"finishing":     {StateOccupied, ActivityParked},
	"evconnected":   {StateOccupied, ActivityIdle},
	"reserved":      {StateReserved, ActivityUnknown},
	"unavailable":   {StateUnavailable, ActivityUnknown},
	"blocked":       {StateUnavailable, ActivityUnknown}, // OCPI: something stands in the way
	"inoperative":   {StateUnavailable, ActivityUnknown}, // OCPI: not in use, and not broken
	"planned":       {StateUnavailable, ActivityUnknown}, // OCPI: will be in operation
	"removed":       {StateUnavailable, ActivityUnknown}, // OCPI: was taken away
	"outofservice":  {StateUnavailable, ActivityUnknown}, // OICP
	"faulted":       {StateFaulted, ActivityUnknown},
	"outoforder":    {StateFaulted, ActivityUnknown}, // OCPI: broken
	"unknown":       {StateUnknown, ActivityUnknown}, // OCPI, OICP
	"evsenotfound":  {StateUnknown, ActivityUnknown}, // OICP: the status is not known
}

// statusBlanks are what parts the words of a status: OUT_OF_ORDER is OutOfOrder.
var statusBlanks = strings.NewReplacer("_", "", "-", "", " ", "")

// ParseStatus gives the state and the activity of a status word in any case. A word that no
// standard has is not an error of the sender's clock or meter: ok is false and the caller keeps
// the record as a dead letter.
func ParseStatus(word string) (State, Activity, bool) {
	m, ok := statusWords[strings.ToLower(word)]
	if !ok {
		m, ok = statusWords[strings.ToLower(statusBlanks.Replace(word))]
	}
	return m.state, m.activity, ok
}
