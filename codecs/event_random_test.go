package codecs_test

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"chargestream"
)

// millisMax is the end of the year 9999, the last that RFC 3339 can write.
const millisMax = chargestream.Millis(253402300799999)

// quantityMax bounds every quantity of an event, in its smallest unit.
const quantityMax = 1_000_000_000_000

// integerMax bounds the random amounts: ParseScaled refuses the last few below the largest int64.
const integerMax = 9_223_372_036_854_775_799

func drawID[T ~string](t *rapid.T, label string) T {
	none := []string{"0", "-0", "-1", "-2", "9223372036854775807"}
	text := rapid.StringN(1, 60, chargestream.IDBytesMax).Filter(func(s string) bool {
		return chargestream.CheckID(s) == nil && !slices.Contains(none, s) &&
			strings.TrimSpace(s) == s
	}).Draw(t, label)
	return T(text)
}

func drawConnector(t *rapid.T) chargestream.ConnectorID {
	id := strings.ReplaceAll(drawID[string](t, "connector"), "/", "-")
	return chargestream.ConnectorID(id)
}

func drawText(t *rapid.T, label string) string {
	return rapid.StringN(0, 60, chargestream.IDBytesMax).Draw(t, label)
}

func drawTime(t *rapid.T, label string) chargestream.Millis {
	return chargestream.Millis(rapid.Int64Range(1, int64(millisMax)).Draw(t, label))
}

func drawAmount[T ~int64](t *rapid.T, label string) *T {
	if rapid.Bool().Draw(t, label+" is nil") {
		return nil
	}
	return of(T(rapid.Int64Range(-quantityMax, quantityMax).Draw(t, label)))
}

// drawEvent draws an event and the topic that it belongs to.
func drawEvent(t *rapid.T) (string, chargestream.Event) {
	start := chargestream.SessionStart{StationID: drawID[chargestream.StationID](t, "station"),
		ConnectorID: drawConnector(t), SessionID: drawID[chargestream.SessionID](t, "session"),
		UserID: drawID[chargestream.UserID](t, "user"), Time: drawTime(t, "start"),
		Meter: drawAmount[chargestream.WattHours](t, "meter_start_wh")}
	end := chargestream.SessionEnd{StationID: start.StationID, ConnectorID: start.ConnectorID,
		SessionID: start.SessionID, UserID: start.UserID, Time: drawTime(t, "end"),
		Energy: drawAmount[chargestream.WattHours](t, "energy_kwh"),
		Meter:  drawAmount[chargestream.WattHours](t, "meter_stop_wh"), Reason: drawText(t,
			"reason")}
	signed := rapid.String().Draw(t, "signed_data")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		words := []string{"free", "OCCUPIED", "Preparing", "suspendedEVSE", "EvConnected"}
		return "status", &chargestream.StatusReport{StationID: start.StationID,
			ConnectorID: start.ConnectorID, Time: start.Time,
			Status: rapid.SampledFrom(words).Draw(t, "status"), ErrorCode: end.Reason}
	case 1:
		return "meter", &chargestream.MeterValue{StationID: start.StationID,
			ConnectorID: start.ConnectorID, SessionID: start.SessionID, Time: start.Time,
			Energy: start.Meter, Power: drawAmount[chargestream.Watts](t, "power_w"),
			Current: drawAmount[chargestream.Milliamps](t, "current_a"),
			Voltage: drawAmount[chargestream.Millivolts](t, "voltage_v"),
			SoC:     drawAmount[chargestream.Permille](t, "soc_percent"), Context: end.Reason,
			Signed: signed}
	case 2:
		return "heartbeat", &chargestream.Heartbeat{StationID: start.StationID, Time: start.Time}
	case 3:
		start.Signed = signed
		return "session", &start
	case 4:
		end.Signed = signed
		return "session", &end
	case 5:
		return "decision", drawDecision(t, &start)
	}
	end.Signed = signed
	return "session", &chargestream.SessionRecord{Start: start, End: end}
}

// drawDecision draws a decision about a session.
func drawDecision(t *rapid.T, of *chargestream.SessionStart) *chargestream.Decision {
	d := &chargestream.Decision{StationID: of.StationID, SessionID: of.SessionID,
		DecisionID: drawID[string](t, "decision"), Time: of.Time, By: drawID[string](t, "by"),
		Reason: drawID[string](t, "reason") + ".",
		Action: rapid.SampledFrom([]chargestream.DecisionAction{chargestream.ActionRelease,
			chargestream.ActionCorrect, chargestream.ActionCancel,
			chargestream.ActionReprice}).Draw(t, "action")}
	switch d.Action {
	case chargestream.ActionRelease:
		d.Holds = rapid.SliceOfNDistinct(rapid.SampledFrom(chargestream.HoldReasons()), 0, 3,
			rapid.ID[chargestream.HoldReason]).Draw(t, "hold_reasons")
		if len(d.Holds) == 0 {
			d.Holds = nil
		}
	case chargestream.ActionCorrect:
		energy := chargestream.WattHours(rapid.Int64Range(0, quantityMax).Draw(t, "energy_wh"))
		d.Correction = chargestream.Correction{Energy: &energy, UserID: of.UserID,
			EndTime: of.Time - chargestream.Millis(rapid.IntRange(0, 1_000_000).Draw(t,
				"corrected end")), TariffID: drawID[chargestream.TariffID](t,
				"tariff")}
	}
	return d
}
