package tabletest

import (
	"strings"

	"chargestream"
)

// event reads a command that is an event; nil for one that is not.
func (w *Words) event(command string) chargestream.Event {
	switch command {
	case "status":
		return &chargestream.StatusReport{StationID: Station,
			ConnectorID: chargestream.ConnectorID(w.Next()), Time: w.Time(), Status: w.Next(),
			ErrorCode: w.Named["code"]}
	case "start":
		return w.start()
	case "end":
		e := &chargestream.SessionEnd{StationID: Station,
			SessionID: chargestream.SessionID(w.Next()), Time: w.Time(),
			ConnectorID: chargestream.ConnectorID(w.Optional())}
		w.amounts(e)
		return e
	case "record":
		start := w.start()
		end := chargestream.SessionEnd{StationID: Station, ConnectorID: start.ConnectorID,
			SessionID: start.SessionID, UserID: start.UserID, Time: w.Time()}
		w.amounts(&end)
		start.Meter = nil
		return &chargestream.SessionRecord{Start: *start, End: end}
	case "meter":
		return &chargestream.MeterValue{StationID: Station,
			ConnectorID: chargestream.ConnectorID(w.Next()), Time: w.Time(),
			SessionID: chargestream.SessionID(w.Optional()),
			Energy:    Number[chargestream.WattHours](w, "wh"),
			Power:     Number[chargestream.Watts](w, "w"),
			SoC:       Number[chargestream.Permille](w, "soc")}
	case "heartbeat":
		return &chargestream.Heartbeat{StationID: Station, Time: w.Time()}
	case "decision":
		return w.decision()
	}
	return nil
}

func (w *Words) start() *chargestream.SessionStart {
	return &chargestream.SessionStart{StationID: Station,
		SessionID: chargestream.SessionID(w.Next()), UserID: chargestream.UserID(w.Next()),
		ConnectorID: chargestream.ConnectorID(w.Next()), Time: w.Time(),
		Meter: Number[chargestream.WattHours](w, "meter")}
}

func (w *Words) amounts(e *chargestream.SessionEnd) {
	e.Energy = Number[chargestream.WattHours](w, "energy")
	e.Meter = Number[chargestream.WattHours](w, "meter")
	e.Reason = w.Named["reason"]
}

func (w *Words) decision() *chargestream.Decision {
	d := &chargestream.Decision{StationID: Station, DecisionID: w.Next(),
		Action: chargestream.DecisionAction(w.Next()), SessionID: chargestream.SessionID(w.Next()),
		Time: w.Time(), By: "ada", Reason: "seen",
		Correction: chargestream.Correction{Energy: Number[chargestream.WattHours](w, "energy"),
			StartTime: w.TimeOf("from"), EndTime: w.TimeOf("to"),
			UserID:   chargestream.UserID(w.Named["user"]),
			TariffID: chargestream.TariffID(w.Named["tariff"])}}
	if holds := w.Named["holds"]; holds != "" {
		for _, reason := range strings.Split(holds, ",") {
			d.Holds = append(d.Holds, chargestream.HoldReason(reason))
		}
	}
	return d
}
