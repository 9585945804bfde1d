package codecs_test

import "chargestream"

// goldenEvents are one event of each kind with every field, and one with the fewest.
func goldenEvents() []goldenEvent {
	start := chargestream.SessionStart{StationID: "FR*LYO*E0001", ConnectorID: "2",
		SessionID: "s-1", UserID: "card-7", Time: moment, Meter: of[chargestream.WattHours](1200)}
	end := chargestream.SessionEnd{StationID: "FR*LYO*E0001", ConnectorID: "2", SessionID: "s-1",
		UserID: "card-7", Time: moment + chargestream.Hour, Meter: of[chargestream.WattHours](8201),
		Energy: of[chargestream.WattHours](7001), Reason: "EVDisconnected", Signed: signedText}
	signedStart := start
	signedStart.Signed = signedText
	meter := chargestream.MeterValue{StationID: "FR*LYO*E0001", ConnectorID: "2",
		SessionID: "s-1", Time: moment, Energy: of[chargestream.WattHours](1200),
		Power: of[chargestream.Watts](-7), Current: of[chargestream.Milliamps](16005),
		Voltage: of[chargestream.Millivolts](230100), SoC: of[chargestream.Permille](805),
		Context: "Sample.Periodic", Signed: signedText}
	return append([]goldenEvent{
		{"status", "full", &chargestream.StatusReport{StationID: "FR*LYO*E0001", ConnectorID: "2",
			Time: moment, Status: "SuspendedEV", ErrorCode: "NoError"}},
		{"status", "least", &chargestream.StatusReport{StationID: "st", ConnectorID: "1",
			Time: moment + 1, Status: "free"}},
		{"meter", "full", &meter},
		{"meter", "least", &chargestream.MeterValue{StationID: "st", ConnectorID: "1",
			Time: moment}},
		{"heartbeat", "full", &chargestream.Heartbeat{StationID: "st", Time: moment}},
		{"session", "start full", &signedStart},
		{"session", "start least", &chargestream.SessionStart{StationID: "st", ConnectorID: "1",
			SessionID: "s-1", Time: moment}},
		{"session", "end full", &end},
		{"session", "end least", &chargestream.SessionEnd{StationID: "st", SessionID: "s-1",
			Time: moment}},
		{"session", "record", &chargestream.SessionRecord{Start: start, End: end}},
		{"session", "text that JSON escapes", &chargestream.SessionEnd{StationID: `a"b\c<é>`,
			SessionID: "s-1", Time: moment, Reason: "line\nfeed"}},
	}, goldenDecisions()...)
}

// goldenDecisions are one decision of each action.
func goldenDecisions() []goldenEvent {
	decision := func(action chargestream.DecisionAction) *chargestream.Decision {
		return &chargestream.Decision{StationID: "FR*LYO*E0001", DecisionID: "d-1",
			SessionID: "s-1", Time: moment, By: "Ada Moreau", Reason: "seen on site",
			Action: action}
	}
	some := decision(chargestream.ActionRelease)
	some.Holds = []chargestream.HoldReason{chargestream.HoldOverPower,
		chargestream.HoldMeterRegression}
	full, least := decision(chargestream.ActionCorrect), decision(chargestream.ActionCorrect)
	full.Correction = chargestream.Correction{Energy: of[chargestream.WattHours](7001),
		StartTime: moment - 2*chargestream.Hour, EndTime: moment - chargestream.Hour,
		UserID: "card-7", TariffID: "city-ac"}
	least.Correction = chargestream.Correction{Energy: of[chargestream.WattHours](0)}
	return []goldenEvent{
		{"decision", "release all", decision(chargestream.ActionRelease)},
		{"decision", "release some", some},
		{"decision", "correct full", full},
		{"decision", "correct least", least},
		{"decision", "cancel", decision(chargestream.ActionCancel)},
		{"decision", "reprice", decision(chargestream.ActionReprice)},
	}
}
