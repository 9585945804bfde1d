package chargestream

// StationInfo is one entry of the registry: the stations topic, compacted, keyed by station.
type StationInfo struct {
	StationID  StationID       `json:"station_id"`
	Name       string          `json:"name,omitempty"`
	SiteID     SiteID          `json:"site_id,omitempty"`
	Latitude   float64         `json:"lat,omitempty"`       // degrees, WGS 84
	Longitude  float64         `json:"lon,omitempty"`       // degrees, WGS 84
	TimeZone   string          `json:"time_zone,omitempty"` // IANA name
	Region     string          `json:"region,omitempty"`
	TariffID   TariffID        `json:"tariff_id,omitempty"`
	MaxPower   Watts           `json:"max_power_w,omitempty"`
	Calibrated bool            `json:"calibrated,omitempty"` // all connectors are
	Connectors []ConnectorInfo `json:"connectors,omitempty"`
}

// ConnectorInfo is one connector of a StationInfo.
type ConnectorInfo struct {
	ConnectorID ConnectorID `json:"connector_id"`
	Type        string      `json:"type,omitempty"` // OCPI ConnectorType, or the operator's word
	MaxPower    Watts       `json:"max_power_w,omitempty"`
	// Calibrated: the law asks for signed meter values of this connector; no bill without them.
	Calibrated bool `json:"calibrated,omitempty"`
	// MeterSerial and PublicKey are those of the calibrated meter, from the operator's own
	// register: DER (SubjectPublicKeyInfo) in hexadecimal.
	MeterSerial string `json:"meter_serial,omitempty"`
	PublicKey   string `json:"public_key,omitempty"`
}
