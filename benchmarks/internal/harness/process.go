//go:build linux

package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// endLimit bounds how long a process may take to end after a signal.
	endLimit = 60 * time.Second
	// peakLook is how often the peak memory of a process is read. What it grows by between the last
	// look and its end is not seen.
	peakLook = 20 * time.Millisecond
	// tailBytes is how much of a log an error shows.
	tailBytes = 3000
)

// ticksPerSecond is the unit of CPU time in /proc (USER_HZ), the same on every Linux that Go runs
// on.
const ticksPerSecond = 100

// Process is a child process that was started.
type Process struct {
	// Began is when it was started.
	Began  time.Time
	cmd    *exec.Cmd
	log    string        // the file that its standard error goes to
	exited chan struct{} // closed when it was reaped
	status error         // how it ended; to be read after exited is closed
	peak   atomic.Int64  // bytes
}

// StartProcess starts a process that the kernel kills when this one ends, in whatever way. That
// death follows the thread that started it, which is therefore held. Standard error is appended to
// the file log; stdout is called in a goroutine of its own with standard output, and must read it
// to its end.
func StartProcess(cmd *exec.Cmd, log string, stdout func(io.Reader)) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), out.Close())
	}
	cmd.Stdout, cmd.Stderr = write, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &Process{cmd: cmd, log: log, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.Began = time.Now()
		err := cmd.Start()
		started <- errors.Join(err, out.Close(), write.Close())
		if err == nil {
			p.status = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cmd.Path, err), read.Close())
	}
	go p.watchPeak()
	go func() {
		stdout(read)
		read.Close() // it was read to its end
	}()
	return p, nil
}

// watchPeak reads the peak memory until the process has ended.
func (p *Process) watchPeak() {
	tick := time.NewTicker(peakLook)
	defer tick.Stop()
	status := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	for {
		text, _, _ := strings.Cut(field(status, "VmHWM"), " ")
		if kib, err := strconv.ParseInt(text, 10, 64); err == nil {
			p.peak.Store(kib << 10)
		}
		select {
		case <-p.exited:
			return
		case <-tick.C:
		}
	}
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Wait waits for the end of the process; its error is that of an exit code other than zero.
func (p *Process) Wait() error {
	<-p.exited
	return p.status
}

// State is how the process ended; nil as long as it runs.
func (p *Process) State() *os.ProcessState {
	if !p.Ended() {
		return nil
	}
	return p.cmd.ProcessState
}

// Signal sends a signal and returns at once. A process that has ended is left alone.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v: %w", s, err)
	}
	return nil
}

// End ends the process by a signal and waits for it.
func (p *Process) End(s syscall.Signal) error {
	if err := p.Signal(s); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(endLimit):
		return errors.Join(fmt.Errorf("still running %v after %v", endLimit, s),
			p.Signal(syscall.SIGKILL))
	}
}

// CPU is the CPU time of a process that has ended, user and system.
func (p *Process) CPU() time.Duration {
	<-p.exited
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// PeakRSS is the largest memory in RAM so far, in bytes. The kernel's account of a process that has
// ended (ru_maxrss) begins with the memory of the process that started it, so it is not used.
func (p *Process) PeakRSS() int64 { return p.peak.Load() }

// LiveCPU is the CPU time of a process that runs.
func (p *Process) LiveCPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // behind the name; state is the first field
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("read CPU time: too few fields")
	}
	ticks, err := sumTicks(fields[11:13]) // utime and stime
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	return ticks, nil
}

// Tail is the end of what the process wrote to its log.
func (p *Process) Tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailBytes):])
}

// OwnCPU is the CPU time of this process.
func OwnCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// sumTicks adds up times of /proc.
func sumTicks(fields []string) (time.Duration, error) {
	var ticks int64
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
