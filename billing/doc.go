// Package billing makes the documents of a session: its bills, and the credit notes that cancel
// them. The list of them is a pure function of the facts, which the rows of package tables hold,
// and of the reference data, each with its event time and its arrival time (docs/decisions/0010).
//
// Session.History is that list. Session.Bill gives what must be sent when the session's timer
// fires, and Session.Restate what must be sent after a fact was read behind the moment at which it
// is known.
//
// The package refuses to know what a broker, a clock, a disk or a log is. It changes no row but the
// marks of the session that it bills.
package billing
