// Package chargestream is the vocabulary of the project: the events that charging stations send,
// the records that are made of them, the identifiers and the units in which they count.
//
// It holds words only. It refuses to know how a word is written as bytes (package codecs), in
// which topic it travels (package topics), how it is folded (package tables) and what a broker,
// a clock or a disk is.
//
// # Glossary
//
// Charging words have the meaning of OCPP 1.6 and 2.0.1 and of OCPI 2.2.1, stream words that of
// Kafka and Kafka Streams.
//
//   - station: what OCPP calls a charge point or charging station; the key of every input topic.
//   - connector: one outlet of a station that serves one vehicle at a time.
//   - session: one charging transaction on one connector, from plug to unplug.
//   - register: the reading of an energy meter that only counts upwards, in watt-hours.
//   - event time: when something happened, told by the body of a record.
//   - arrival time: when it was first received; the header arrival-time, else the record's own.
//   - stream time: the largest arrival time that was seen in a partition.
//   - window: one clock hour in UTC of one connector.
//   - grace: how long after its end a window or session is waited for before it is settled.
//   - settled: a session whose end is more than the grace ago, by stream time.
//   - late: a record whose arrival is later than the grace, or the retention, of what it tells.
//   - part: a partial row that one table hands to another; merging parts in any order, any
//     number of times, gives the same row.
//   - held: an invoice that must not be sent before somebody has looked at it.
package chargestream
