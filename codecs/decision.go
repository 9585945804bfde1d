package codecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"chargestream"
)

// DecisionReasonBytesMax bounds the reason of a decision: it stands on every document that rests
// on it. A longer one is refused rather than cut, as it is evidence.
const DecisionReasonBytesMax = 1000

// decisionWire is a record of the billing-decisions topic.
type decisionWire struct {
	DecisionID string                      `json:"decision_id"`
	StationID  string                      `json:"station_id"`
	SessionID  sessionText                 `json:"session_id"`
	DecidedAt  chargestream.Millis         `json:"decided_at"`
	By         string                      `json:"by"`
	Reason     string                      `json:"reason"`
	Action     chargestream.DecisionAction `json:"action"`
	Holds      []chargestream.HoldReason   `json:"hold_reasons,omitempty"`
	Correction *correctionWire             `json:"correction,omitempty"`
}

// correctionWire is the correction of a decisionWire.
type correctionWire struct {
	Energy    json.Number         `json:"energy_wh,omitempty"`
	StartTime chargestream.Millis `json:"start_time,omitzero"`
	EndTime   chargestream.Millis `json:"end_time,omitzero"`
	UserID    string              `json:"user_id,omitempty"`
	TariffID  string              `json:"tariff_id,omitempty"`
}

// DecodeDecision reads a record of the billing-decisions topic. The error wraps ErrEvent and
// names the field.
func DecodeDecision(value []byte) (chargestream.Event, error) {
	// The library would mend other bytes, and make of two sessions one.
	if !utf8.Valid(value) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrEvent)
	}
	var w decisionWire
	if err := json.Unmarshal(value, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	d, err := w.decision()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return d, nil
}

func (w *decisionWire) decision() (*chargestream.Decision, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	d := &chargestream.Decision{StationID: chargestream.StationID(w.StationID),
		DecisionID: w.DecisionID, SessionID: chargestream.SessionID(w.SessionID),
		Time: w.DecidedAt, By: w.By, Reason: w.Reason, Action: w.Action}
	switch w.Action {
	case chargestream.ActionRelease:
		return d, w.holds(&d.Holds)
	case chargestream.ActionCorrect:
		return d, w.Correction.read(&d.Correction, w.DecidedAt)
	case chargestream.ActionCancel, chargestream.ActionReprice:
		return d, nil
	}
	return nil, fmt.Errorf("action %q is none of release, correct, cancel and reprice",
		clip(string(w.Action)))
}

// check holds what all actions need, and refuses what an action would leave undone.
func (w *decisionWire) check() error {
	for _, field := range []struct{ name, text string }{
		{"station_id", w.StationID}, {"decision_id", w.DecisionID},
		{"session_id", string(w.SessionID)}, {"by", w.By},
	} {
		if err := chargestream.CheckID(field.text); err != nil {
			return fmt.Errorf("%s: %w", field.name, err)
		}
	}
	switch {
	case noSession(w.SessionID):
		return fmt.Errorf("session_id %q is no session", string(w.SessionID))
	case w.DecidedAt == 0:
		return errMissing("decided_at")
	case strings.TrimSpace(w.Reason) == "":
		return errMissing("reason")
	case len(w.Reason) > DecisionReasonBytesMax:
		return fmt.Errorf("reason has %d bytes, more than %d", len(w.Reason),
			DecisionReasonBytesMax)
	case w.Action == "":
		return errMissing("action")
	case len(w.Holds) > 0 && w.Action != chargestream.ActionRelease:
		return errors.New("hold_reasons belong to the action release")
	case w.Correction != nil && w.Action != chargestream.ActionCorrect:
		return errors.New("correction belongs to the action correct")
	}
	return nil
}

// holds reads the reasons to be released, each once.
func (w *decisionWire) holds(into *[]chargestream.HoldReason) error {
	for _, reason := range w.Holds {
		if !KnownHold(reason) {
			return fmt.Errorf("hold_reasons: %q is no reason to hold a bill", clip(string(reason)))
		}
		if !slices.Contains(*into, reason) {
			*into = append(*into, reason)
		}
	}
	return nil
}

// KnownHold tells whether a text is a reason to hold a bill.
func KnownHold(r chargestream.HoldReason) bool {
	return slices.Contains(chargestream.HoldReasons(), r)
}

// correctionPast is how long ago what is corrected may have been: as long as sessions are kept.
const correctionPast = 400 * chargestream.Day

// read takes over what is set. A correction of nothing is refused, and so is one that makes no
// sense by itself: nobody would look at it again before it is billed.
func (w *correctionWire) read(
	c *chargestream.Correction,
	decided chargestream.Millis,
) error {
	if w == nil || *w == (correctionWire{}) {
		return errMissing("correction")
	}
	if err := scaled(&c.Energy, "correction.energy_wh", w.Energy, 0); err != nil {
		return err
	}
	if c.Energy != nil && *c.Energy < 0 {
		return fmt.Errorf("correction.energy_wh %d is below zero", *c.Energy)
	}
	if w.StartTime != 0 && w.EndTime != 0 && w.EndTime <= w.StartTime {
		return errors.New("correction.end_time is not after correction.start_time")
	}
	for _, field := range []struct{ name, text string }{
		{"user_id", w.UserID}, {"tariff_id", w.TariffID},
	} {
		if err := chargestream.CheckID(field.text); field.text != "" && err != nil {
			return fmt.Errorf("correction.%s: %w", field.name, err)
		}
	}
	for name, at := range map[string]chargestream.Millis{"start_time": w.StartTime,
		"end_time": w.EndTime} {
		if at != 0 && (at < decided-correctionPast || at > decided) {
			return fmt.Errorf("correction.%s %s is after decided_at, or too long before", name, at)
		}
	}
	c.StartTime, c.EndTime = w.StartTime, w.EndTime
	c.UserID = chargestream.UserID(w.UserID)
	c.TariffID = chargestream.TariffID(w.TariffID)
	return nil
}

// encodeDecision writes a decision, and reads it back: one that would be refused is not written.
func encodeDecision(d *chargestream.Decision) ([]byte, error) {
	w := decisionWire{DecisionID: d.DecisionID, StationID: string(d.StationID),
		SessionID: sessionText(d.SessionID), DecidedAt: d.Time, By: d.By, Reason: d.Reason,
		Action: d.Action, Holds: d.Holds}
	if d.Correction != (chargestream.Correction{}) {
		c := d.Correction
		w.Correction = &correctionWire{Energy: number(c.Energy, 0), StartTime: c.StartTime,
			EndTime: c.EndTime, UserID: string(c.UserID), TariffID: string(c.TariffID)}
	}
	value, err := json.Marshal(&w)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	_, err = DecodeDecision(value)
	return value, err
}
