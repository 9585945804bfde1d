package ingest

import (
	"errors"
	"fmt"

	"chargestream"
	"chargestream/codecs"
	"chargestream/topics"
)

// events is the start and, where there is one, the end that a row tells.
func (m *sessionMap) events(r *row) ([]ordered, error) {
	start := chargestream.SessionStart{
		StationID:   chargestream.StationID(m.StationID.text(r)),
		ConnectorID: chargestream.ConnectorID(m.ConnectorID.text(r)),
		SessionID:   chargestream.SessionID(m.SessionID.text(r)),
		UserID:      chargestream.UserID(m.UserID.text(r)),
	}
	if start.ConnectorID == "" {
		start.ConnectorID = chargestream.ConnectorDefault
	}
	end := chargestream.SessionEnd{StationID: start.StationID, ConnectorID: start.ConnectorID,
		SessionID: start.SessionID, UserID: start.UserID, Reason: m.EndReason.text(r)}
	var arrival chargestream.Millis
	err := errors.Join(
		setInstant(&start.Time, "start_time", m.StartTime, r),
		setInstant(&end.Time, "end_time", m.EndTime, r),
		setInstant(&arrival, "arrival_time", m.ArrivalTime, r),
		setAmount(&start.Meter, "meter_start_wh", m.MeterStart, r, 0),
		setAmount(&end.Meter, "meter_stop_wh", m.MeterStop, r, 0),
		setAmount(&end.Energy, "energy_wh", m.EnergyWh, r, 0),
		setAmount(&end.Energy, "energy_kwh", m.EnergyKWh, r, 3))
	if err != nil {
		return nil, err
	}
	first, err := sessionRecord(&start, arrival)
	if err != nil {
		return nil, err
	}
	events := []ordered{{Record: first}}
	if end.Time == 0 {
		return events, nil
	}
	if m.EndArrival == endArrivalLater && arrival != 0 {
		arrival = max(arrival, end.Time)
	}
	last, err := sessionRecord(&end, arrival)
	if err != nil {
		return nil, err
	}
	return append(events, ordered{Record: last, end: true}), nil
}

// sessionRecord writes an event and reads it back: what the processors would refuse is refused
// here, where somebody can still mend the file.
func sessionRecord(e chargestream.Event, arrival chargestream.Millis) (Record, error) {
	value, err := codecs.EncodeEvent(e)
	if err != nil {
		return Record{}, fmt.Errorf("write event: %w", err)
	}
	if _, err := codecs.DecodeSession(value); err != nil {
		return Record{}, err
	}
	if arrival == 0 {
		arrival = e.At()
	}
	return Record{Topic: topics.ChargingSessions, Key: string(e.Station()), Value: value,
		Arrival: arrival}, nil
}

func setInstant(at *chargestream.Millis, name string, f *field, r *row) error {
	m, err := f.instant(r)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*at = m
	return nil
}

// setAmount reads an energy in units of 10^digits Wh; nil stays where it is absent.
func setAmount(at **chargestream.WattHours, name string, f *field, r *row, digits int) error {
	text := f.text(r)
	if text == "" {
		return nil
	}
	n, err := codecs.ParseScaled(text, digits)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	amount := chargestream.WattHours(n)
	*at = &amount
	return nil
}
