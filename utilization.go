package chargestream

// Utilization is a record of the utilization topic: one clock hour (UTC) of one connector. The
// seconds of the six states add up to the window; occupied includes charging.
type Utilization struct {
	StationID   StationID   `json:"station_id"`
	ConnectorID ConnectorID `json:"connector_id"`
	SiteID      SiteID      `json:"site_id,omitempty"`
	WindowStart Millis      `json:"window_start"`
	WindowEnd   Millis      `json:"window_end"`
	Occupied    int64       `json:"occupied_s"`
	Charging    int64       `json:"charging_s"`
	Available   int64       `json:"available_s"`
	Reserved    int64       `json:"reserved_s"`
	Unavailable int64       `json:"unavailable_s"`
	Faulted     int64       `json:"faulted_s"`
	Unknown     int64       `json:"unknown_s"`
	Energy      WattHours   `json:"energy_wh"`
	PeakPower   Watts       `json:"peak_w"`
	Sessions    int         `json:"sessions"` // sessions that started in the window
	Final       bool        `json:"final"`
	Revision    int         `json:"revision"`
}
