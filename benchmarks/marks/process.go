//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"syscall"

	"chargestream/benchmarks/internal/harness"
)

// process is a child that was started, with what it reports.
type process struct {
	*harness.Process
	reports chan report // what it sent on standard output; closed at its end
}

// startProcess starts a child; log is where its standard error goes.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	p := &process{reports: make(chan report, 16)}
	var err error
	p.Process, err = harness.StartProcess(cmd, log, p.listen)
	return p, err
}

// listen reads the reports of the process: those of its lines that are JSON.
func (p *process) listen(read io.Reader) {
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

// finish ends a child in order and gives what it said last.
func (p *process) finish() (report, error) {
	if err := p.End(syscall.SIGTERM); err != nil {
		return report{}, err
	}
	var last report
	for r := range p.reports {
		last = r
	}
	if err := p.Wait(); err != nil || last.Kind != reportEnd {
		return last, fmt.Errorf("child ended with %v: %s", p.State(), p.Tail())
	}
	return last, nil
}
