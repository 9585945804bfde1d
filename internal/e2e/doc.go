// Package e2e is the whole of chargestream, from what goes in to what comes out, held against the
// independent oracle: in memory, on the fake broker and on a real Kafka.
//
// It holds how tables and derived topics are read back as the oracle's plain types. It refuses
// to know how any of them was made.
package e2e
