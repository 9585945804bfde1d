package chargestream

// DecisionAction is what a Decision does.
type DecisionAction string

// The actions of a Decision.
const (
	// ActionRelease: the named reasons hold the bill no longer; without names, all that hold it
	// then. A reason that leaves an amount unknown cannot be released, see HoldReason.Releasable.
	ActionRelease DecisionAction = "release"
	// ActionCorrect: the quantities of Correction take the place of those of the station. Reasons
	// that doubted one of them are gone.
	ActionCorrect DecisionAction = "correct"
	// ActionCancel: the session is not billed.
	ActionCancel DecisionAction = "cancel"
	// ActionReprice: the session is billed by the tariff and the registry as they are known at the
	// decision.
	ActionReprice DecisionAction = "reprice"
)

// Decision is a record of the billing-decisions topic: who decided what about a session's bill,
// and why. Keyed by station, as all inputs, so that it is read in its place among the facts.
type Decision struct {
	StationID  StationID
	DecisionID string // made by who decides; the same id is the same decision
	SessionID  SessionID
	Time       Millis // decided_at
	By         string
	Reason     string
	Action     DecisionAction
	Holds      []HoldReason // of ActionRelease; empty for all
	Correction Correction   // of ActionCorrect
}

// Correction is what an ActionCorrect sets; nil, zero and empty leave a quantity as it is.
type Correction struct {
	Energy    *WattHours
	StartTime Millis
	EndTime   Millis
	UserID    UserID
	TariffID  TariffID
}

// AppliedDecision is a Decision as an Invoice names it.
type AppliedDecision struct {
	DecisionID string         `json:"decision_id"`
	Action     DecisionAction `json:"action"`
	DecidedAt  Millis         `json:"decided_at"`
	By         string         `json:"by"`
	Reason     string         `json:"reason"`
}

// Station implements Event.
func (e *Decision) Station() StationID { return e.StationID }

// At implements Event.
func (e *Decision) At() Millis { return e.Time }

// Scope implements Event: the times that the decision sets.
func (e *Decision) Scope() Scope {
	from, to := e.Correction.StartTime, e.Correction.EndTime
	if from == 0 || (to != 0 && to < from) {
		from, to = to, from
	}
	return Scope{SessionID: e.SessionID, From: from, To: max(from, to)}
}

// Releasable reports whether a bill that is held for this reason has amounts that somebody can
// vouch for. The others need a correction: there is nothing to release.
func (r HoldReason) Releasable() bool {
	switch r {
	case HoldNotEnded, HoldNoStart, HoldNoEnergy, HoldNegativeEnergy, HoldNegativeDuration,
		HoldNoTariff, HoldTariffUnsupported, HoldUnknownUser, HoldCancelled:
		return false
	}
	return true
}
