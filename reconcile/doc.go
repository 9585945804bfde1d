// Package reconcile holds the bills of a period against the energy that meters counted: what was
// metered is what was invoiced, what is held, and gaps that have a name.
//
// It takes three sources that know nothing of each other: sessions with what their own meters
// told, readings of each connector's register, and the documents. It refuses to know where they
// lie, how a bill is computed and what a bill costs. The same input gives the same report.
//
// # What is counted
//
// Each watt-hour is counted once. A session has the energy that its own meters told; where they
// told none, what the register of the connector grew by while it ran. What the register grew by
// beyond that, within sessions and outside of them, is a gap. Readings are not believed that fall
// or jump and come back within a few readings; one that stays there begins a new count.
//
// A session belongs to the period in which it ended (in which it started, if it did not end),
// growth outside of sessions to that of the later of two readings.
//
// # What is wrong
//
// A Finding is what no gap explains: a bill that is missing, there twice, of another energy than
// its session or of no session, and a credit note that does not cancel what it names. A Note is
// worth a look, and leaves the sums as they are.
package reconcile
