package codecs

import (
	"encoding/json"
	"fmt"
	"reflect"
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
	EnergyKWh json.Number         `json:"energy_kwh,omitempty"`
	StartTime chargestream.Millis `json:"start_time,omitzero"`
	EndTime   chargestream.Millis `json:"end_time,omitzero"`
	UserID    string              `json:"user_id,omitempty"`
	TariffID  string              `json:"tariff_id,omitempty"`
}

// DecodeDecision reads a record of the billing-decisions topic. The error wraps ErrEvent, and says
// field, value, what is expected and what to do.
func DecodeDecision(value []byte) (chargestream.Event, error) { return ReadDecision(value, nil) }

// ReadDecision is DecodeDecision through a door, which may be nil. What is not known of a
// correction is refused: a clerk's word must not be done by half.
func ReadDecision(value []byte, d *Door) (chargestream.Event, error) {
	if d == nil {
		d = &Door{}
	}
	// The JSON reader would mend other bytes, and make of two sessions one.
	if !utf8.Valid(value) {
		return nil, fmt.Errorf("%w: %w", ErrEvent, &Refusal{Value: "the value",
			Problem: "is not UTF-8", Expected: takesObject, Do: "write the record in UTF-8"})
	}
	o, err := parseObject(value, "")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	var w decisionWire
	r := reading{form: form{strict: true, strictIn: []string{"correction."}}, door: d}
	r.object(o, reflect.ValueOf(&w).Elem())
	if err := r.err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	decision, err := w.decision()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return decision, nil
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
	return nil, &Refusal{Field: "action", Value: Quoted(string(w.Action)),
		Problem:  "is none of release, correct, cancel and reprice",
		Expected: "one of them is taken", Do: "send one of them"}
}

// check holds what all actions need, and refuses what an action would leave undone.
func (w *decisionWire) check() error {
	for _, field := range []struct{ name, text string }{
		{"station_id", w.StationID}, {"decision_id", w.DecisionID},
		{"session_id", string(w.SessionID)}, {"by", w.By},
	} {
		if chargestream.CheckID(field.text) != nil {
			return errID(field.name, field.text)
		}
	}
	switch {
	case noSession(w.SessionID):
		return &Refusal{Field: "session_id", Value: Quoted(string(w.SessionID)),
			Problem: "is no session", Expected: "the id of a session is taken",
			Do: "send the id that the invoice has"}
	case w.DecidedAt == 0:
		return errMissing("decided_at")
	case strings.TrimSpace(w.Reason) == "":
		return errMissing("reason")
	case len(w.Reason) > DecisionReasonBytesMax:
		return &Refusal{Field: "reason", Problem: fmt.Sprintf("has %d bytes", len(w.Reason)),
			Expected: fmt.Sprintf("at most %d are taken, as it stands on documents",
				DecisionReasonBytesMax), Do: "shorten it"}
	case w.Action == "":
		return errMissing("action")
	case len(w.Holds) > 0 && w.Action != chargestream.ActionRelease:
		return errBelongs("hold_reasons", chargestream.ActionRelease)
	case w.Correction != nil && w.Action != chargestream.ActionCorrect:
		return errBelongs("correction", chargestream.ActionCorrect)
	}
	return nil
}

func errBelongs(field string, action chargestream.DecisionAction) error {
	return &Refusal{Field: field, Problem: "belongs to the action " + string(action),
		Expected: "other actions have none", Do: "leave it out, or send that action"}
}

// holds reads the reasons to be released, each once.
func (w *decisionWire) holds(into *[]chargestream.HoldReason) error {
	for _, reason := range w.Holds {
		if !KnownHold(reason) {
			return &Refusal{Field: "hold_reasons", Value: Quoted(string(reason)),
				Problem:  "is no reason to hold a bill",
				Expected: "the hold_reasons of the invoice are taken",
				Do:       "send those that the invoice has, or none for all"}
		}
		if !slices.Contains(*into, reason) {
			*into = append(*into, reason)
		}
	}
	return nil
}

// KnownHold reports whether a text is a reason to hold a bill.
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
	if err := w.energy(&c.Energy); err != nil {
		return err
	}
	if w.StartTime != 0 && w.EndTime != 0 && w.EndTime <= w.StartTime {
		return &Refusal{Field: "correction.end_time", Value: w.EndTime.String(),
			Problem:  "is not after correction.start_time " + w.StartTime.String(),
			Expected: "a later time is taken", Do: "look whether the two are swapped"}
	}
	for _, field := range []struct{ name, text string }{
		{"user_id", w.UserID}, {"tariff_id", w.TariffID},
	} {
		if chargestream.CheckID(field.text) != nil && field.text != "" {
			return errID("correction."+field.name, field.text)
		}
	}
	for name, at := range map[string]chargestream.Millis{"start_time": w.StartTime,
		"end_time": w.EndTime} {
		if at != 0 && (at < decided-correctionPast || at > decided) {
			return &Refusal{Field: "correction." + name, Value: at.String(),
				Problem:  "is after decided_at " + decided.String() + ", or too long before",
				Expected: "a time of the 400 days before decided_at is taken",
				Do:       "look at the year, and at the offset"}
		}
	}
	c.StartTime, c.EndTime = w.StartTime, w.EndTime
	c.UserID = chargestream.UserID(w.UserID)
	c.TariffID = chargestream.TariffID(w.TariffID)
	return nil
}

// energy is the corrected energy, in Wh or in kWh.
func (w *correctionWire) energy(field **chargestream.WattHours) error {
	both := wire{EnergyKWh: w.EnergyKWh, EnergyWh: w.Energy}
	if err := both.energy(field); err != nil {
		return err
	}
	if *field != nil && **field < 0 {
		return &Refusal{Field: "correction.energy_wh", Value: fmt.Sprint(int64(**field)),
			Problem: "is below zero", Expected: "an energy of zero or more is taken",
			Do: "send what was delivered"}
	}
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
