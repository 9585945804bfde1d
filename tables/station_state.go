package tables

import (
	"strconv"

	"chargestream"
)

// State is the station as the views tell it; info is its entry in the registry, or nil.
func (s *Station) State(info *chargestream.StationInfo) chargestream.StationState {
	state := chargestream.StationState{StationID: s.ID, Info: info, LastSeen: s.LastSeen,
		Connectors: []chargestream.ConnectorState{}}
	for i := range s.Connectors {
		state.Connectors = append(state.Connectors, s.Connectors[i].state(s.LastSeen))
	}
	return state
}

// state joins the status of a connector with its meter and its session. The status says whether
// it is occupied; where it says nothing of it, or has not yet heard of it, a running session
// does. The meter says whether energy flows; where it is silent, the status word does.
func (c *Connector) state(seen chargestream.Millis) chargestream.ConnectorState {
	v := chargestream.ConnectorState{ConnectorID: c.ID, MeterTime: c.Meter.Time,
		Energy: c.Meter.Energy, Power: c.Meter.Power, SoC: c.Meter.SoC}
	var activity chargestream.Activity
	if len(c.Statuses) > 0 {
		st := &c.Statuses[0]
		v.State, v.Status, v.ErrorCode, v.Since = st.State, st.Word, st.ErrorCode, c.since()
		activity = st.Activity
	}
	if c.running() {
		v.SessionID = c.Running.ID
		if v.State <= chargestream.StateReserved && c.Running.StartedAt >= v.Since {
			v.State, v.Since = chargestream.StateOccupied, c.Running.StartedAt
		}
	}
	if v.State == chargestream.StateOccupied {
		v.Charging = activity == chargestream.ActivityCharging
		if p := c.Meter.Power; p != nil && c.Meter.Time >= v.Since &&
			seen-c.Meter.Time <= SampleHold*chargestream.Minute {
			v.Charging = *p >= ChargingPowerMin
		}
	}
	return v
}

// running reports whether the session that started last has not ended.
func (c *Connector) running() bool { return c.Running.ID != "" && c.Running.StartedAt > c.LastEnd }

// since is when the connector came into its state, as far as the reports that are kept tell.
func (c *Connector) since() chargestream.Millis {
	since := c.Statuses[0].At
	for _, st := range c.Statuses {
		if st.State != c.Statuses[0].State {
			break
		}
		since = st.At
	}
	return since
}

// Anomalies are those of the station itself: the days on which its clock was ahead. Such an
// anomaly closes when a later day is heard of.
func (s *Station) Anomalies() []chargestream.Anomaly {
	var anomalies []chargestream.Anomaly
	for i := range s.Skews {
		d := &s.Skews[i]
		a := chargestream.Anomaly{
			AnomalyID: string(chargestream.AnomalyClockSkew) + "/" + string(s.ID) + "/" +
				d.Day.Time().Format("2006-01-02"),
			Kind: chargestream.AnomalyClockSkew, Severity: chargestream.SeverityWarning,
			StationID: s.ID, OpenedAt: d.First, BillingHold: true,
			Evidence: map[string]string{"ahead_ms": strconv.FormatInt(int64(d.Ahead), 10)}}
		if end := d.Day + chargestream.Day; s.LastSeen >= end {
			a.ClosedAt = end
		}
		anomalies = append(anomalies, a)
	}
	return anomalies
}
