//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"chargestream/benchmarks/internal/harness"
	"chargestream/internal/kafkatest"
)

const (
	// restoreLimit bounds a restore.
	restoreLimit = 5 * time.Minute
	// readyLook is how often a program is asked whether it is ready.
	readyLook = 5 * time.Millisecond
)

// restore starts a program that has run before, with an empty state directory, until it is ready.
func (s *stage) restore(ctx context.Context, p peer) (*Restore, error) {
	ctx, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd, err := p.command(s, filepath.Join(s.dir, p.name+"-restored"), address)
	if err != nil {
		return nil, err
	}
	c, err := s.start(p, cmd)
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx, c, address); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", err, c.Tail()), c.End(syscall.SIGKILL))
	}
	r := &Restore{Ready: time.Since(c.Began), PeakRSS: c.PeakRSS()}
	if r.CPU, err = c.LiveCPU(); err != nil {
		return nil, errors.Join(err, c.End(syscall.SIGKILL))
	}
	if p.name == peerHere {
		if r.Rows, r.Bytes, err = changelogs(ctx, s.addr); err != nil {
			return nil, errors.Join(err, c.End(syscall.SIGKILL))
		}
	}
	return r, c.End(syscall.SIGTERM)
}

// freeAddress is a loopback address that no process listens on.
func freeAddress() (string, error) {
	ports, err := harness.FreePorts(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), nil
}

// awaitReadyz returns when /readyz answers that everything is read.
func awaitReadyz(ctx context.Context, c *child, address string) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet,
			"http://"+address+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			err = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return err
			}
		}
		if c.Ended() {
			return errors.New("it ended before it was ready")
		}
		if err := kafkatest.Pause(ctx, readyLook); err != nil {
			return fmt.Errorf("it is not ready: %w", err)
		}
	}
}

// awaitReadyLine returns when the program has printed that everything is read.
func awaitReadyLine(ctx context.Context, c *child, _ string) error {
	select {
	case <-c.ready:
		return nil
	case <-c.Exited():
		return errors.New("it ended before it was ready")
	case <-ctx.Done():
		return fmt.Errorf("it is not ready: %w", ctx.Err())
	}
}
