//go:build linux

package main

import (
	"runtime"
	"time"
)

// meter measures the CPU time of the broker, of this process and of all others over a while.
type meter struct {
	k            *kafka
	began        time.Time
	broker, busy time.Duration
	own          time.Duration
	pacer        *pacer
}

func startMeter(k *kafka) (*meter, error) {
	broker, err := k.proc.liveCPU()
	if err != nil {
		return nil, err
	}
	busy, err := machineCPU()
	if err != nil {
		return nil, err
	}
	return &meter{k: k, began: time.Now(), broker: broker, busy: busy, own: ownCPU(),
		pacer: startPacer()}, nil
}

// stop gives the broker's CPU time, which share of the cores others took (neither the broker nor
// this process nor the child, whose CPU time is given), and the pacer's loop.
func (m *meter) stop(child time.Duration) (broker time.Duration, others float64,
	loop time.Duration, err error) {
	loop = m.pacer.end()
	now, err := m.k.proc.liveCPU()
	if err != nil {
		return 0, 0, 0, err
	}
	busy, err := machineCPU()
	if err != nil {
		return 0, 0, 0, err
	}
	broker = now - m.broker
	rest := busy - m.busy - broker - child - (ownCPU() - m.own)
	all := time.Since(m.began) * time.Duration(runtime.NumCPU())
	return broker, max(0, float64(rest)/float64(all)), loop, nil
}
