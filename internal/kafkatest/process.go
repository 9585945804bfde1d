package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// stopLimit bounds how long a broker may take to end after SIGTERM.
const stopLimit = 30 * time.Second

// process is a child that has been started and may have ended.
type process struct {
	handle *os.Process
	exited chan struct{} // closed when the child has been reaped
	status error         // how it ended; read only after exited is closed
}

// startProcess starts cmd and reaps it. The forking thread is held as long as the child lives,
// because the death signal of dieWithParent follows that thread, not the whole parent.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = dieWithParent()
	p := &process{exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.status = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p.handle = cmd.Process
	return p, nil
}

// running says whether the child has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends the child with SIGKILL and waits until it is gone.
func (p *process) kill() error { return p.end(syscall.SIGKILL) }

// stop ends the child with SIGTERM and waits for at most stopLimit.
func (p *process) stop() error { return p.end(syscall.SIGTERM) }

func (p *process) end(sig os.Signal) error {
	if !p.running() {
		return nil
	}
	if err := p.handle.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v: %w", sig, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopLimit):
		return fmt.Errorf("still running %v after %v", stopLimit, sig)
	}
}
