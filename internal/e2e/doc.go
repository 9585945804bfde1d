// Package e2e is the whole of chargestream, from what goes in to what comes out, held against the
// independent oracle: in memory, on the fake broker and on a real Kafka.
//
// It holds how tables and derived topics are read back as the oracle's plain types (Outcome), and
// the checker of the runs in which things go wrong: a journal of all that goes in (Journal), and
// what every record and every row must be that comes out (Verify), whatever happened in between.
// The checker refuses to know how a broker, a group or a transaction works: it sees committed
// records only.
package e2e
