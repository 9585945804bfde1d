//go:build linux

// Command peers measures chargestream beside programs that do the same job: a twin in Kafka Streams
// (folder twin) and one in stock goka (stockgoka.go). All of them read the same topics of one real
// Kafka on this machine:
//
//	make bench-peers                            # every load
//	make bench-peers LOADS="burst latency"      # some of them
//	go run ./benchmarks/peers table FILE        # the table of what was measured before
//	make capacity FILE=benchmarks/results/NAME     # docs/capacity.md by what was measured
//	go run ./benchmarks/peers load -brokers localhost:9092 burst
//
// What is measured of chargestream is its binary, "chargestream run --until-caught-up". Each load
// has a new broker, on which the programs run one after the other, each with an empty state
// directory. README.md of the folder above says how to read the table. The exit code is not zero
// for wrong results only, such as a session without an invoice: no time is judged.
//
// The loads are a library of their own in this package (load.go): the same seed gives the same
// bytes, whose digest is kept with the results.
package main
