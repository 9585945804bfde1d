package chargestream

import "slices"

// AnomalyKind names a rule that watches over the stream.
type AnomalyKind string

// The kinds of an Anomaly.
const (
	// AnomalyOverlap: two sessions on one connector at the same time.
	AnomalyOverlap AnomalyKind = "overlapping_sessions"
	// AnomalyDuplicate: a session delivered again under another id.
	AnomalyDuplicate AnomalyKind = "duplicate_session"
	// AnomalyNotEnded: a session without an end, OverdueAfter its start.
	AnomalyNotEnded AnomalyKind = "session_not_ended"
	// AnomalyMeterRegression: a register that ran backwards.
	AnomalyMeterRegression AnomalyKind = "meter_regression"
	// AnomalyConflict: two different starts, or ends, for one session.
	AnomalyConflict AnomalyKind = "conflicting_events"
	// AnomalyClockSkew: a station whose clock is more than five minutes ahead.
	AnomalyClockSkew AnomalyKind = "clock_skew"
	// AnomalyMeterGlitch: a register that fell and came back; no bill is held for it.
	AnomalyMeterGlitch AnomalyKind = "meter_glitch"
)

// AnomalyKinds are all kinds, in alphabetical order: those of the reasons to hold a bill, and a
// glitch, which holds none.
func AnomalyKinds() []AnomalyKind {
	kinds := []AnomalyKind{AnomalyMeterGlitch}
	for _, r := range HoldReasons() {
		if r != HoldCancelled {
			kinds = append(kinds, AnomalyOf(r))
		}
	}
	slices.Sort(kinds)
	return kinds
}

// AnomalyOf is the kind of an anomaly that a reason to hold a bill opens.
func AnomalyOf(r HoldReason) AnomalyKind { return AnomalyKind(r) }

// Severity is how soon somebody should look at an Anomaly.
type Severity string

// The severities of an Anomaly.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
)

// Anomaly is a record of the anomalies topic, keyed by AnomalyID: it is sent when it opens, when
// what it tells changes and when it closes.
type Anomaly struct {
	AnomalyID   string            `json:"anomaly_id"`
	Kind        AnomalyKind       `json:"kind"`
	Severity    Severity          `json:"severity"`
	StationID   StationID         `json:"station_id"`
	ConnectorID ConnectorID       `json:"connector_id,omitempty"`
	SessionID   SessionID         `json:"session_id,omitempty"`
	OpenedAt    Millis            `json:"opened_at"`
	ClosedAt    Millis            `json:"closed_at,omitempty,omitzero"`
	BillingHold bool              `json:"billing_hold"`
	Evidence    map[string]string `json:"evidence,omitempty"`
}
