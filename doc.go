// Package chargestream is the vocabulary of the project: the events that charging stations send,
// the records that are made of them, the identifiers and the units in which they count.
//
// It holds words only. It refuses to know how a word is written as bytes (package codecs), in
// which topic it travels (package topics), how it is folded (package tables), how it is billed
// (package billing) and what a broker, a clock or a disk is.
//
// # Glossary
//
// Charging words have the meaning of OCPP 1.6 and 2.0.1 and of OCPI 2.2.1, stream words that of
// Kafka and Kafka Streams.
//
//   - station: what OCPP calls a charge point or charging station; the key of every input topic.
//   - connector: one outlet of a station that serves one vehicle at a time.
//   - session: one charging transaction on one connector, from plug to unplug. Its id is unique
//     per station.
//   - register: the reading of an energy meter that only counts upwards, in watt-hours.
//   - registry: the operator's list of stations; an entry describes one station.
//   - reference data: registry and tariffs, each with the history of its revisions.
//   - event time: when something happened; it is in the body of a record.
//   - arrival time: when it was first received; the header arrival-time, else the record's own.
//   - stream time: the largest arrival time that was seen in a partition.
//   - grace: the ten minutes after its end for which a window or a session is waited for.
//   - late: a record that arrived more than the grace after its event time. One that arrived
//     later than its topic's retention is a dead letter.
//   - effective: a fact takes effect at a moment that follows from its two times, and is in
//     effect from then on. A document as of a moment is made of the facts in effect then.
//   - moment: a time at which a document of a session may become due or change.
//   - settled: a session that was billed with its start and its end.
//   - window: one clock hour in UTC of one connector.
//   - open quarter: the newest quarter hour of samples of a connector, which its station's row
//     holds until it is flushed to the rows of its session and its hour.
//   - task: the work of one partition: its inputs, its tables, its timers.
//   - table: rows by key with a compacted changelog topic.
//   - commit: the end of a commit interval; rows, outputs and input offsets count together.
//   - flush: at a commit, the comparison of what is derived from a changed row.
//   - document: an invoice or a credit note of a session.
//   - hold: a reason for which an invoice must not be sent until an operator decides, with its
//     evidence.
//   - duplicate: a session that was delivered again under another id.
//   - restated: a session whose sent document was replaced, as a fact was read after its moment
//     was billed.
package chargestream
