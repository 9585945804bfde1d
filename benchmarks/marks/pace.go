//go:build linux

package main

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"chargestream/internal/engine"
)

const (
	// paceEvery and paceLoops make the pacer cost about half a percent of a core.
	paceEvery = 50 * time.Millisecond
	paceLoops = 1000
	// clockThread is CLOCK_THREAD_CPUTIME_ID, which the syscall package does not name.
	clockThread = 3
)

// pacer measures how fast the cores are while something else is measured: CPU time is no measure
// of work where two virtual cores share a real one, with each other or with strangers.
type pacer struct {
	stop, done chan struct{}
	spent      time.Duration
	loops      int64
	sink       uint32
}

func startPacer() *pacer {
	p := &pacer{stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *pacer) run() {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	var r row
	e := newEventOf("station-pace")
	buf := make([]byte, 0, rowBytes)
	for {
		before := threadCPU()
		for range paceLoops {
			r.fold(&e)
			buf = r.append(buf[:0])
			p.sink += engine.Murmur2(buf)
		}
		p.spent += threadCPU() - before
		p.loops += paceLoops
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
	}
}

// end gives the mean CPU time of a loop.
func (p *pacer) end() time.Duration {
	close(p.stop)
	<-p.done
	return p.spent / time.Duration(max(p.loops, 1))
}

func newEventOf(key string) event { return event{StationID: key, EnergyWh: 1, Timestamp: 1} }

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var t syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThread,
		uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
