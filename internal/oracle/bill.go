package oracle

// Facts are all that is told of one session and of what surrounds it, in any order, each fact with
// its event time and its arrival time. Times are milliseconds, energy is in Wh, power in W.
type Facts struct {
	Session, Station string
	Starts           []StartFact
	Ends             []EndFact
	Samples          []SampleFact // of the station, those of other sessions too
	Statuses         []StatusFact
	Others           []OtherSession // of the station
	Decisions        []DecisionFact
	Registry         []RegistryFact // the revisions of the station's entry
	Tariffs          []TariffFact   // the records of every tariff
	UntilMs          int64          // the moment up to which all is known; zero for all time
}

// StartFact is a start as it was told. MeterWh is nil where no register was told.
type StartFact struct {
	AtMs, ArrivalMs int64
	RecordMs        int64 // of a record of start and end in one: the later of both; else zero
	Connector, User string
	MeterWh         *int64
	Signed          string
}

// EndFact is an end as it was told. Connector is empty where the end names none.
type EndFact struct {
	AtMs, ArrivalMs   int64
	RecordMs          int64 // as of StartFact
	Connector         string
	EnergyWh, MeterWh *int64
	Reason, Signed    string
}

// SampleFact is one sample of a meter. Session is as it was sent: empty, "0" and "-1" name none.
type SampleFact struct {
	AtMs, ArrivalMs    int64
	Connector, Session string
	RegisterWh, PowerW *int64
	Context, Signed    string
}

// StatusFact is a status report, in the word that was sent.
type StatusFact struct {
	AtMs, ArrivalMs int64
	Connector, Word string
}

// OtherSession is another session of the station.
type OtherSession struct {
	ID     string
	Starts []StartFact
	Ends   []EndFact
}

// The actions of a DecisionFact.
const (
	ActRelease = "release"
	ActCorrect = "correct"
	ActCancel  = "cancel"
	ActReprice = "reprice"
)

// DecisionFact is what a clerk decided. Of a correction, what is nil, zero or empty stays.
type DecisionFact struct {
	ID             string
	ArrivalMs      int64
	Action         string
	Holds          []string // of a release; empty for all
	EnergyWh       *int64
	StartMs, EndMs int64
	User, Tariff   string
}

// RegistryFact is one revision of the station's entry in the registry.
type RegistryFact struct {
	ArrivalMs      int64
	Site, Zone     string // Zone is an IANA name, empty where it is not told
	Tariff         string
	MaxPowerW      int64 // zero where it is not told
	Calibrated     bool
	ConnectorPower map[string]int64
	ConnectorCalib map[string]bool
	// ConnectorSerial are the meters that signed values must be of.
	ConnectorSerial map[string]string
	ConnectorType   map[string]string // of OCPI
	// ConnectorKey tells which have a public key. All signatures are then of that key; without one
	// they cannot be verified.
	ConnectorKey map[string]bool
}

// TariffFact is one record of a tariff: all its versions, as they were known at the arrival.
type TariffFact struct {
	ID        string
	ArrivalMs int64
	Versions  []TariffVersion
}

// TariffVersion is an OCPI 2.2.1 tariff, in force from ValidFromMs until the next version.
type TariffVersion struct {
	ValidFromMs int64
	JSON        []byte
}

// Document is one of the list of a session's invoices and credit notes. Money is in minor units
// of the currency.
type Document struct {
	Credit   bool // a credit note: amounts and quantities of lines, groups and totals are negative
	Credits  int  // the place in the list of what it cancels, from 0; -1 for an invoice
	Revision int  // of a credit note: that of what it cancels

	IssuedAtMs  int64
	BookingDate string // as 2026-03-02
	Held        bool
	Reasons     []string // sorted

	Station, Connector, Site, Zone, User string

	StartMs, EndMs       int64 // zero where it is not known
	DurationS, ParkingS  int64
	EnergyWh             int64
	MeterStart, MeterEnd *int64
	// Estimated is what is known of the energy. EstimatedUnsure tells that the tariff has limits
	// in time, so that energy interpolated at them may make the bill estimated, too: the rule is
	// that of the pricing, and is not judged here.
	Estimated, EstimatedUnsure bool
	// EnergyUnsure tells that the register fell for good, or that the session took no time. What is
	// kept of samples is the envelope of each quarter hour, so the sum of all rises is not judged
	// here, nor how energy of one moment is shared out by its limits, and what that costs.
	EnergyUnsure bool

	Tariff            string
	TariffValidFromMs int64
	Currency          string
	Digits            int
	Lines             []DocumentLine
	Groups            []DocumentGroup // by rate, "" first
	// Bounded tells that a min_price or max_price changed the totals. The lines and groups are
	// then those before it: how a bound is shared out is not judged here.
	Bounded         bool
	Excl, VAT, Incl int64
	Decisions       []string // ids in the order of (arrival, id)
	Signed          []string // by time
}

// DocumentLine is what one price component costs, in the order of the tariff. Quantities are in
// millionths of a kWh, an hour or a session, rounded half up; lines of no quantity are left out.
type DocumentLine struct {
	Dimension         string
	Quantity          int64 // after step_size
	Measured          int64 // before it
	UnitPrice         string
	VATPercent        string // empty where the tariff tells none
	Excl, VAT, Incl   int64
	Element, Position int // of the component in the tariff
}

// DocumentGroup is all that a document bills at one rate.
type DocumentGroup struct {
	VATPercent      string
	Excl, VAT, Incl int64
}

// Alarm is an anomaly of the session while it was open; ClosedMs is zero if it still is. Hold
// tells that it is a reason of a document, else it is for information only.
type Alarm struct {
	Key, Kind          string
	Hold               bool
	OpenedMs, ClosedMs int64
}

// Further reasons to hold an invoice.
const (
	HoldEstimated         = "estimated_energy"
	HoldNegativeEnergy    = "negative_energy"
	HoldMeterRegression   = "meter_regression"
	HoldConflict          = "conflicting_events"
	HoldNoTariff          = "no_tariff"
	HoldTariffUnsupported = "unsupported_tariff"
	HoldOverlap           = "overlapping_sessions"
	HoldNoStart           = "stop_without_start"
	HoldUnitMismatch      = "unit_mismatch"
	HoldOverPower         = "over_power"
	HoldLifetimeRegister  = "lifetime_register"
	HoldEnergyMismatch    = "energy_mismatch"
	HoldRepeatedEnergy    = "repeated_energy"
	HoldUnknownUser       = "unknown_user"
	HoldVATUnknown        = "vat_unknown"
	HoldSignedMissing     = "signed_missing"
	HoldSignedInvalid     = "signed_invalid"
	HoldSignedMismatch    = "signed_mismatch"
	HoldSignedUnverified  = "signed_unverified"
	HoldCancelled         = "cancelled"
)

// KindMeterGlitch is the kind of the Alarm of a register that fell and came back.
const KindMeterGlitch = "meter_glitch"

// History is the list of a session's documents, worked out anew from the facts for each moment at
// which one of them becomes known. docs/decisions/0010-invoice-history.md tells the rules; where
// one of its sentences has two readings, the comment of the function that decides has the one
// that is taken here.
func History(f Facts) []Document {
	documents, _ := Story(f)
	return documents
}

// Story is History, and the anomalies of the session in the order in which they opened.
func Story(f Facts) ([]Document, []Alarm) {
	return billRules().story(f)
}
