package billing

import (
	"chargestream"
	"chargestream/tables"
)

// State is a session as the views show it. Its hold reasons are those of its last document.
func State(id chargestream.SessionID, station chargestream.StationID,
	s *tables.Session) chargestream.SessionState {
	state := chargestream.SessionState{SessionID: id, StationID: station,
		ConnectorID: s.ConnectorID(), Phase: s.Phase(), DuplicateOf: s.DuplicateOf,
		HoldReasons: s.Holds}
	if len(s.Starts) > 0 {
		state.UserID, state.StartTime = s.Starts[0].UserID, s.Starts[0].At
	}
	if len(s.Ends) > 0 {
		state.EndTime, state.EndReason = s.Ends[0].At, s.Ends[0].Reason
	}
	if e := meterOf(s).energy(); e.known {
		state.Energy, state.Estimated = &e.total, e.estimated
	}
	return state
}
