// Package tables is the rows and how they fold: pure functions from a row and an event to the
// row moved, and what must be told.
//
// Every row is a join-semilattice: a merge is idempotent, commutative and associative. So any
// order of the same events, any duplicate and any split of the work gives the same bytes, and a
// replay from offset zero equals the live table. Every derived record (an invoice, a window, an
// anomaly) is a pure function of one row and of reference data picked by event time.
//
// The package refuses to know what a broker, a clock, a disk or a log is. Time comes in as an
// argument: event time and arrival time with every event, stream time with every firing.
package tables
