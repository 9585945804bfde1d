// Package topics is the one register of every topic: its name, what its key is, how long it is
// kept and what is promised of it. A name that brokers have is never edited: another succeeds it,
// and it is retired.
//
// It refuses to know what a broker is and what the bytes of a record mean.
package topics

import (
	"time"

	"chargestream"
	"chargestream/codecs"
)

// Inputs: what stations report, and the decisions and the reference data of the operator.
const (
	StationStatus    = "station-status"
	ChargingSessions = "charging-sessions"
	MeterValues      = "meter-values"
	Heartbeats       = "heartbeats"
	BillingDecisions = "billing-decisions"
	Stations         = "stations"
	Tariffs          = "tariffs"
)

// Derived topics: what others read.
const (
	Utilization = "utilization"
	Invoices    = "invoices"
	Anomalies   = "anomalies"
	DeadLetters = "dead-letters"
)

// Groups: the consumer groups. The table of a group's name is the one that goka knows.
const (
	GroupStations = "stations"
	GroupTariffs  = "tariffs"
)

// Tables: those of the stations group, which are partitioned by station, and the tariffs.
const (
	TableStations = GroupStations
	TableRegistry = "registry"
	TableSessions = "sessions"
	TableHours    = "hours"
	TableTariffs  = GroupTariffs
)

// TableSuffix is what goka appends to a table's name to name its topic.
const TableSuffix = "-table"

// ClockSuffix is appended to a group's name to name the topic of its clock records.
const ClockSuffix = "-clock"

// Table is the topic of a table: its changelog, compacted.
func Table(name string) string { return name + TableSuffix }

// Clock is the topic of a group's clock records, which move idle partitions on.
func Clock(group string) string { return group + ClockSuffix }

// Header names. Each is part of the contract with all who read or write the topics.
const (
	// HeaderArrival is the arrival time, RFC 3339; without it the record's timestamp counts.
	HeaderArrival = "arrival-time"
	// HeaderReason and the following are written on dead letters.
	HeaderReason          = "reason"
	HeaderError           = "error"
	HeaderSourceTopic     = "source-topic"
	HeaderSourcePartition = "source-partition"
	HeaderSourceOffset    = "source-offset"
	HeaderSourceTime      = "source-time"
	// HeaderSourceBytes is the size of key and value of a record of which only a part was kept.
	HeaderSourceBytes = "source-bytes"
	// HeaderRedriven counts how often a dead letter was driven again.
	HeaderRedriven = "redriven"
)

// Kind is who writes a topic, and who may read it.
type Kind string

// The kinds of topic.
const (
	KindInput     Kind = "input"
	KindReference Kind = "reference"
	KindDerived   Kind = "derived"
	KindInternal  Kind = "internal"
	KindTable     Kind = "table"
)

// Cleanup is Kafka's cleanup.policy.
type Cleanup string

// The cleanup policies in use.
const (
	CleanupDelete  Cleanup = "delete"
	CleanupCompact Cleanup = "compact"
)

const day = 24 * time.Hour

// Topic is one entry of the register.
type Topic struct {
	Name    string
	Kind    Kind
	Key     string // what the key is, in words
	Cleanup Cleanup
	// Retention is how long a record is kept; zero is for ever. For an input it is also how late
	// an event may be before it is a dead letter; zero is no limit.
	Retention time.Duration
	// CompactionLag is how long a record of a compacted topic is kept although a newer one has its
	// key; zero: not at all.
	CompactionLag time.Duration
	// LagBudget is how far behind its processor may be before an operator is woken; zero: no
	// promise.
	LagBudget time.Duration
	// Freshness is how soon, at the 99th percentile, a record shows in a view; zero: no promise.
	Freshness time.Duration
	// Copartitioned topics have the same number of partitions as station-status.
	Copartitioned bool
	// Decode reads a value; nil for a topic that holds no events.
	Decode func(value []byte) (chargestream.Event, error)
	// Read is Decode through a door, which says more of the sender and of what was left out.
	Read func(value []byte, d *codecs.Door) (chargestream.Event, error)
	// RecordBytesMax bounds a value that is accepted; larger ones are dead letters.
	RecordBytesMax int
}

// RecordBytesMax bounds an input record: a meter value is 200 bytes, a registry entry a few KiB.
const RecordBytesMax = 64 << 10

// All is the register: inputs, tables and what is derived of them.
func All() []Topic {
	return []Topic{
		input(StationStatus, codecs.ReadStatus, 7*day, 10*time.Second, 2*time.Second),
		input(ChargingSessions, codecs.ReadSession, 400*day, 30*time.Second, 5*time.Second),
		input(MeterValues, codecs.ReadMeter, 30*day, 30*time.Second, 5*time.Second),
		input(Heartbeats, codecs.ReadHeartbeat, day, 5*time.Minute, time.Minute),
		input(BillingDecisions, codecs.ReadDecision, 0, 30*time.Second, 5*time.Second),
		reference(Stations, "station_id"),
		reference(Tariffs, "tariff_id"),
		internal(Clock(GroupStations), "none; a record is for its partition", 400*day),
		table(TableStations, "station_id"),
		table(TableRegistry, "station_id"),
		table(TableSessions, "station/session_id"),
		table(TableHours, "station/connector/window_start"),
		table(TableTariffs, "tariff_id"),
		derived(Utilization, "station/connector/window_start", CleanupCompact, 0),
		derived(Invoices, "invoice_id", CleanupCompact, 0),
		derived(Anomalies, "anomaly_id", CleanupCompact, 0),
		derived(DeadLetters, "as it came", CleanupDelete, 90*day),
	}
}

// Retired are the topics of earlier versions of the program that nothing reads any more. They may
// be deleted once "run" has rebuilt the tables.
func Retired() []string {
	return []string{"hour-parts", "session-parts", "hours-clock", "reference-table"}
}

// Lookup is the entry of a name; ok is false for a name that the register does not have.
func Lookup(name string) (Topic, bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return Topic{}, false
}

// Reported are the topics of what stations report: the inputs without the decisions of clerks.
func Reported() []string {
	var names []string
	for _, t := range All() {
		if t.Kind == KindInput && t.Name != BillingDecisions {
			names = append(names, t.Name)
		}
	}
	return names
}

func input(name string, read func([]byte, *codecs.Door) (chargestream.Event, error),
	keep, lag, fresh time.Duration) Topic {
	decode := func(value []byte) (chargestream.Event, error) { return read(value, nil) }
	return Topic{Name: name, Kind: KindInput, Key: "station_id", Cleanup: CleanupDelete,
		Retention: keep, LagBudget: lag, Freshness: fresh, Decode: decode, Read: read,
		Copartitioned: true, RecordBytesMax: RecordBytesMax}
}

// referenceLag is as long as sessions are kept: for as long the history of the reference data that
// their bills rest on can be rebuilt from the topics.
const referenceLag = 400 * day

func reference(name, key string) Topic {
	return Topic{Name: name, Kind: KindReference, Key: key, Cleanup: CleanupCompact,
		CompactionLag: referenceLag, Copartitioned: true, RecordBytesMax: RecordBytesMax}
}

func internal(name, key string, keep time.Duration) Topic {
	return Topic{Name: name, Kind: KindInternal, Key: key, Cleanup: CleanupDelete,
		Retention: keep, Copartitioned: true}
}

func table(name, key string) Topic {
	return Topic{Name: Table(name), Kind: KindTable, Key: key, Cleanup: CleanupCompact,
		Copartitioned: true}
}

func derived(name, key string, cleanup Cleanup, keep time.Duration) Topic {
	return Topic{Name: name, Kind: KindDerived, Key: key, Cleanup: cleanup, Retention: keep,
		Copartitioned: true}
}
