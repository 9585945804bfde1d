//go:build linux

package harness

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	// paceEvery and paceLoops make the pacer cost about half a percent of a core.
	paceEvery = 50 * time.Millisecond
	paceLoops = 1000
	// clockThread is CLOCK_THREAD_CPUTIME_ID, which the syscall package does not name.
	clockThread = 3
)

// Meter measures the CPU time of the broker, of this process and of all others over a while.
type Meter struct {
	broker       *Process
	began        time.Time
	brokerBefore time.Duration
	busyBefore   time.Duration
	ownBefore    time.Duration
	pacer        *pacer
}

// Reading is what a meter has measured.
type Reading struct {
	Broker time.Duration // CPU time of the broker; zero for one without a process
	// Others is the share of all cores that neither broker nor child nor this process used.
	Others float64
	Loop   time.Duration // mean CPU time of a loop of the fixed work
}

// StartMeter starts a meter; broker is nil for one without a process. Meanwhile loop, a small fixed
// piece of work, is repeated: the CPU time that it takes shows how fast the cores are.
func StartMeter(broker *Process, loop func()) (*Meter, error) {
	m := &Meter{broker: broker, began: time.Now(), ownBefore: OwnCPU()}
	var err error
	if m.brokerBefore, err = m.brokerCPU(); err != nil {
		return nil, err
	}
	if m.busyBefore, err = machineCPU(); err != nil {
		return nil, err
	}
	m.pacer = startPacer(loop)
	return m, nil
}

func (m *Meter) brokerCPU() (time.Duration, error) {
	if m.broker == nil {
		return 0, nil
	}
	return m.broker.LiveCPU()
}

// Stop ends the measurement. The CPU time of the child that was measured is given by the caller.
func (m *Meter) Stop(child time.Duration) (Reading, error) {
	r := Reading{Loop: m.pacer.end()}
	now, err := m.brokerCPU()
	if err != nil {
		return r, err
	}
	busy, err := machineCPU()
	if err != nil {
		return r, err
	}
	r.Broker = now - m.brokerBefore
	rest := busy - m.busyBefore - r.Broker - child - (OwnCPU() - m.ownBefore)
	all := time.Since(m.began) * time.Duration(runtime.NumCPU())
	r.Others = max(0, float64(rest)/float64(all))
	return r, nil
}

// machineCPU is the time that all cores together were busy since the start of the machine, with
// what a hypervisor took away.
func machineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU time of the machine: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, fmt.Errorf("read CPU time of the machine: %d fields", len(fields))
	}
	// The name, then user, nice, system, idle, iowait, irq, softirq, steal.
	busy, err := sumTicks(append(fields[1:4:4], fields[6:9]...))
	if err != nil {
		return 0, fmt.Errorf("read CPU time of the machine: %w", err)
	}
	return busy, nil
}

// pacer measures how fast the cores are while something else is measured: CPU time is no measure
// of work where two virtual cores share a real one, with each other or with strangers.
type pacer struct {
	loop       func()
	stop, done chan struct{}
	spent      time.Duration
	loops      int64
}

func startPacer(loop func()) *pacer {
	p := &pacer{loop: loop, stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *pacer) run() {
	defer close(p.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for {
		before := threadCPU()
		for range paceLoops {
			p.loop()
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
