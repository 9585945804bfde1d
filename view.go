package chargestream

// StationState is what is known of a station now: an answer of the views, and of the API.
type StationState struct {
	StationID  StationID        `json:"station_id"`
	Info       *StationInfo     `json:"info,omitempty"` // nil where the registry has no entry
	LastSeen   Millis           `json:"last_seen"`
	Connectors []ConnectorState `json:"connectors"`
}

// ConnectorState is what is known of one connector.
type ConnectorState struct {
	ConnectorID ConnectorID `json:"connector_id"`
	State       State       `json:"state"`
	Charging    bool        `json:"charging"` // by the join of status and meter values
	Status      string      `json:"status"`   // the word as it was sent
	Since       Millis      `json:"since,omitempty,omitzero"`
	ErrorCode   string      `json:"error_code,omitempty"`
	SessionID   SessionID   `json:"session_id,omitempty"` // the running session
	MeterTime   Millis      `json:"meter_time,omitempty,omitzero"`
	Energy      *WattHours  `json:"energy_wh,omitempty"` // register
	Power       *Watts      `json:"power_w,omitempty"`
	SoC         *Permille   `json:"soc_permille,omitempty"`
}

// SessionPhase is how far a session has come.
type SessionPhase string

// The phases of a session.
const (
	// PhaseActive: started, not ended.
	PhaseActive SessionPhase = "active"
	// PhaseOverdue: started, and OverdueAfter later still not ended.
	PhaseOverdue SessionPhase = "overdue"
	// PhaseEnded: ended, less than the grace ago.
	PhaseEnded SessionPhase = "ended"
	// PhaseSettled: ended and settled.
	PhaseSettled SessionPhase = "settled"
	// PhaseOrphan: an end, or meter values, of a session whose start never came.
	PhaseOrphan SessionPhase = "orphan"
)

// SessionState is what is known of a session now.
type SessionState struct {
	SessionID   SessionID    `json:"session_id"`
	StationID   StationID    `json:"station_id"`
	ConnectorID ConnectorID  `json:"connector_id,omitempty"`
	UserID      UserID       `json:"user_id,omitempty"`
	Phase       SessionPhase `json:"phase"`
	StartTime   Millis       `json:"start_time,omitempty,omitzero"`
	EndTime     Millis       `json:"end_time,omitempty,omitzero"`
	Energy      *WattHours   `json:"energy_wh,omitempty"`
	Estimated   bool         `json:"estimated"`
	DuplicateOf SessionID    `json:"duplicate_of,omitempty"`
	EndReason   string       `json:"end_reason,omitempty"`
	HoldReasons []HoldReason `json:"hold_reasons,omitempty"`
	// AlsoAtStations are other stations that have a session of the same id, up to a hundred.
	AlsoAtStations []StationID `json:"also_at_stations,omitempty"`
}
