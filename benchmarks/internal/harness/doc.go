//go:build linux

// Package harness is what the comparison programs of benchmarks share: a Kafka of their own that
// runs as in production, child processes with their CPU time and peak memory, and what the machine
// did meanwhile. It is for Linux, as it reads /proc.
//
// It refuses to know what is measured.
package harness
