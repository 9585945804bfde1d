//go:build linux

package main

import (
	"chargestream/benchmarks/internal/harness"
	"chargestream/engine"
)

// startMeter starts a meter beside a measurement; its fixed work is a fold.
func (r *run) startMeter() (*harness.Meter, error) {
	var (
		row  row
		sink uint32
	)
	e := event{StationID: "station-pace", EnergyWh: 1, Timestamp: 1}
	buf := make([]byte, 0, rowBytes)
	return harness.StartMeter(r.broker.Process, func() {
		row.fold(&e)
		buf = row.append(buf[:0])
		sink += engine.Murmur2(buf)
	})
}
