//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endLimit bounds how long a process may take to end after SIGTERM.
const endLimit = 60 * time.Second

// ticksPerSecond is the unit of CPU time in /proc (USER_HZ), the same on every Linux that Go runs
// on.
const ticksPerSecond = 100

// process is a process that was started, with what it says of itself.
type process struct {
	cmd     *exec.Cmd
	began   time.Time
	log     string        // where its standard error goes
	reports chan report   // what it told on standard output; closed at its end
	exited  chan struct{} // closed when it was reaped
	status  error         // how it ended; to be read after exited is closed
}

// startProcess starts a process that the kernel kills when this one ends, in whatever way. That
// death follows the thread that started it, which is therefore held.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd.Stdout, cmd.Stderr = write, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, log: log, exited: make(chan struct{}), reports: make(chan report, 16)}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		p.began = time.Now()
		err := cmd.Start()
		started <- errors.Join(err, out.Close(), write.Close())
		if err == nil {
			p.status = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go p.listen(read)
	return p, nil
}

// listen reads the reports of the process: those of its lines that are JSON.
func (p *process) listen(read *os.File) {
	defer close(p.reports)
	lines := bufio.NewScanner(read)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Kind != "" {
			p.reports <- r
		}
	}
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v: %w", s, err)
	}
	return nil
}

// end ends the process by a signal and waits for it.
func (p *process) end(s syscall.Signal) error {
	if err := p.signal(s); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(endLimit):
		return errors.Join(fmt.Errorf("still running %v after %v", endLimit, s),
			p.signal(syscall.SIGKILL))
	}
}

// finish ends a child in order and gives what it said last.
func (p *process) finish() (report, error) {
	if err := p.end(syscall.SIGTERM); err != nil {
		return report{}, err
	}
	var last report
	for r := range p.reports {
		last = r
	}
	if p.status != nil || last.Kind != reportEnd {
		return last, fmt.Errorf("child ended with %v: %s", p.cmd.ProcessState, p.tail())
	}
	return last, nil
}

// cpu is the CPU time of a process that has ended.
func (p *process) cpu() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// rssMax is the largest memory in RAM of a process that has ended, in bytes.
func (p *process) rssMax() int64 {
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss * 1024
}

// liveCPU is the CPU time of a process that runs.
func (p *process) liveCPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // behind the name; state is the first field
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("read CPU time: too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// tail is the end of what the process wrote to its log.
func (p *process) tail() string {
	const most = 3000
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// ownCPU is the CPU time of this process.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// machineCPU is the time that all cores together were busy since the start of the machine, with
// what a hypervisor took away.
func machineCPU() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read CPU time of the machine: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks int64
	for i, field := range strings.Fields(line) {
		// The name, then user, nice, system, idle, iowait, irq, softirq, steal.
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU time of the machine: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}
