// Package topics is the one register of every topic: its name, what its key is, how long it is
// kept and what is promised of it. A name that is kept by a broker is never edited, only
// succeeded by another.
//
// It refuses to know what a broker is and what the bytes of a record mean.
package topics

import (
	"time"

	"chargestream"
	"chargestream/codecs"
)

// Inputs: what stations say, and the reference data of the operator.
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

// Internal topics: how the tables hand parts to each other.
const (
	SessionParts = "session-parts"
	HourParts    = "hour-parts"
)

// Groups: the consumer groups, and the names of their tables without goka's suffix.
const (
	GroupReference = "reference"
	GroupStations  = "stations"
	GroupSessions  = "sessions"
	GroupHours     = "hours"
)

// TableSuffix is what goka appends to a group's name to name its table's topic.
const TableSuffix = "-table"

// ClockSuffix is appended to a group's name to name the topic of its clock records.
const ClockSuffix = "-clock"

// Table is the topic of a group's table: its changelog, compacted.
func Table(group string) string { return group + TableSuffix }

// Clock is the topic of a group's clock records, which move idle partitions on.
func Clock(group string) string { return group + ClockSuffix }

// Header names. Each is part of the contract with whoever reads or writes the topics.
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

// Kind tells who writes a topic and who may read it.
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
	// LagBudget is how far behind its processor may be before somebody is woken; zero: no promise.
	LagBudget time.Duration
	// Freshness is how soon, at the 99th percentile, a record shows in a view; zero: no promise.
	Freshness time.Duration
	// Copartitioned topics have the same number of partitions as station-status.
	Copartitioned bool
	// Decode reads a value; nil for a topic that holds no events.
	Decode func(value []byte) (chargestream.Event, error)
	// RecordBytesMax bounds a value that is accepted; larger ones are dead letters.
	RecordBytesMax int
}

// RecordBytesMax bounds an input record: a meter value is 200 bytes, a registry entry a few KiB.
const RecordBytesMax = 64 << 10

// All is the register, in the order in which the data walks.
func All() []Topic {
	return []Topic{
		input(StationStatus, codecs.DecodeStatus, 7*day, 10*time.Second, 2*time.Second),
		input(ChargingSessions, codecs.DecodeSession, 400*day, 30*time.Second, 5*time.Second),
		input(MeterValues, codecs.DecodeMeter, 30*day, 30*time.Second, 5*time.Second),
		input(Heartbeats, codecs.DecodeHeartbeat, day, 5*time.Minute, time.Minute),
		input(BillingDecisions, codecs.DecodeDecision, 0, 30*time.Second, 5*time.Second),
		reference(Stations, "station_id"),
		reference(Tariffs, "tariff_id"),
		internal(HourParts, "station/connector/window_start", 30*day),
		internal(SessionParts, "session_id", 30*day),
		internal(Clock(GroupStations), "none; the partition is meant", 400*day),
		internal(Clock(GroupHours), "none; the partition is meant", 400*day),
		table(GroupReference, "station_id or tariff_id"),
		table(GroupStations, "station_id"),
		table(GroupHours, "station/connector/window_start"),
		table(GroupSessions, "session_id"),
		derived(Utilization, "station/connector/window_start", CleanupCompact, 0),
		derived(Invoices, "invoice_id", CleanupCompact, 0),
		derived(Anomalies, "anomaly_id", CleanupCompact, 0),
		derived(DeadLetters, "as it came", CleanupDelete, 90*day),
	}
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

func input(name string, decode func([]byte) (chargestream.Event, error),
	keep, lag, fresh time.Duration) Topic {
	return Topic{Name: name, Kind: KindInput, Key: "station_id", Cleanup: CleanupDelete,
		Retention: keep, LagBudget: lag, Freshness: fresh, Decode: decode,
		Copartitioned: true, RecordBytesMax: RecordBytesMax}
}

// referenceLag is as long as sessions are kept: the history of reference data that their bills rest
// on can be made again from the topics for as long.
const referenceLag = 400 * day

func reference(name, key string) Topic {
	return Topic{Name: name, Kind: KindReference, Key: key, Cleanup: CleanupCompact,
		CompactionLag: referenceLag, Copartitioned: true, RecordBytesMax: RecordBytesMax}
}

func internal(name, key string, keep time.Duration) Topic {
	return Topic{Name: name, Kind: KindInternal, Key: key, Cleanup: CleanupDelete,
		Retention: keep, Copartitioned: true}
}

func table(group, key string) Topic {
	return Topic{Name: Table(group), Kind: KindTable, Key: key, Cleanup: CleanupCompact,
		Copartitioned: true}
}

func derived(name, key string, cleanup Cleanup, keep time.Duration) Topic {
	return Topic{Name: name, Kind: KindDerived, Key: key, Cleanup: cleanup, Retention: keep,
		Copartitioned: true}
}
