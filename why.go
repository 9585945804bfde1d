package chargestream

// SessionWhy is why a session's bill is as it is, or why there is none yet: an answer of the views,
// of the API and of the command why.
type SessionWhy struct {
	SessionID   SessionID    `json:"session_id"`
	StationID   StationID    `json:"station_id,omitempty"`
	ConnectorID ConnectorID  `json:"connector_id,omitempty"`
	UserID      UserID       `json:"user_id,omitempty"`
	Phase       SessionPhase `json:"phase,omitempty"`
	Summary     string       `json:"summary"` // the answer in one sentence
	// Received is what was folded, in the order of its time.
	Received []Received `json:"received"`
	// DeadLetters are records that were not folded: those that name the session, and the newest
	// others of its station.
	DeadLetters []DeadLetter `json:"dead_letters"`
	// Missing is what a bill needs and what never came, each as a sentence.
	Missing []string  `json:"missing"`
	Due     BillDue   `json:"due"`
	Tariff  TariffWhy `json:"tariff"`
	// InvoiceID is the document that no credit note cancels, with its status and total.
	InvoiceID string        `json:"invoice_id,omitempty"`
	Status    InvoiceStatus `json:"status,omitempty"`
	Total     string        `json:"total_incl_vat,omitempty"`
	Currency  string        `json:"currency,omitempty"`
	Documents int           `json:"documents"` // sent so far, credit notes among them
	Held      []HoldWhy     `json:"held"`
	// AlsoAtStations are other stations that have a session of the same id, up to a hundred.
	AlsoAtStations []StationID `json:"also_at_stations,omitempty"`
}

// StationWhy is what is known of a station, and what keeps its sessions from being billed.
type StationWhy struct {
	StationID   StationID    `json:"station_id"`
	Summary     string       `json:"summary"`
	LastSeen    Millis       `json:"last_seen,omitempty,omitzero"`
	Received    []Received   `json:"received"`
	DeadLetters []DeadLetter `json:"dead_letters"` // the newest
	Missing     []string     `json:"missing"`
	Tariff      TariffWhy    `json:"tariff"` // of a session that begins now
	// Held are documents that wait for a decision, oldest first, up to a hundred; HeldCount is how
	// many there are.
	Held      []HeldDocument `json:"held"`
	HeldCount int            `json:"held_count"`
}

// Received is something that was folded.
type Received struct {
	What    string `json:"what"` // start, end, meter values, decision, ...
	Time    Millis `json:"time,omitempty,omitzero"`
	Arrival Millis `json:"arrival,omitempty,omitzero"`
	Text    string `json:"text"`
}

// DeadLetter is a record that was not folded, as a view knows it.
type DeadLetter struct {
	SourceTopic     string `json:"source_topic"`
	SourcePartition string `json:"source_partition,omitempty"`
	SourceOffset    string `json:"source_offset,omitempty"`
	Time            Millis `json:"time"` // when it became a dead letter
	Reason          string `json:"reason"`
	Error           string `json:"error,omitempty"`
	Key             string `json:"key,omitempty"`
	// Value is the begin of the record's value.
	Value string `json:"value,omitempty"`
	// NamesSession: the session that is asked for stands in the value.
	NamesSession bool `json:"names_session,omitempty"`
}

// BillDue is when a session is billed, or billed again.
type BillDue struct {
	At   Millis `json:"at,omitempty,omitzero"` // in stream time; absent for never
	Text string `json:"text"`
}

// TariffWhy is which tariff bills a session, and why that one.
type TariffWhy struct {
	TariffID  TariffID `json:"tariff_id,omitempty"`
	ValidFrom Millis   `json:"valid_from,omitempty,omitzero"` // of its version
	Text      string   `json:"text"`
}

// HoldWhy is one reason that holds a bill: what shows it, and what can be done.
type HoldWhy struct {
	Reason     HoldReason `json:"reason"`
	Text       string     `json:"text"`
	Releasable bool       `json:"releasable"`
	Next       []string   `json:"next"` // what an operator can do, the likeliest first
}

// HeldDocument is a document of a station that waits for a decision.
type HeldDocument struct {
	InvoiceID   string       `json:"invoice_id"`
	SessionID   SessionID    `json:"session_id"`
	HoldReasons []HoldReason `json:"hold_reasons"`
}
