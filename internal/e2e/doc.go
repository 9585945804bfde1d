// Package e2e tests the whole of chargestream, from what goes in to what comes out, against the
// independent oracle: in memory, on the fake broker and on a real Kafka.
//
// It reads tables and derived topics back as the oracle's plain types (Outcome), and has the
// checker of runs with faults: a journal of all that goes in (Journal), and what every record and
// every row must be that comes out (Verify), whatever happened in between. The checker refuses to
// know how a broker, a group or a transaction works: it sees committed records only.
package e2e
