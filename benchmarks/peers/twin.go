//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// twinTopics is what the names of the twin's topics begin with.
	twinTopics = "twin-"
	twinGroup  = "twin" // its application id
	twinClass  = "peers.Twin"
	// twinFlagsDefault: the heap holds caches of 128 MiB and the buffers of the clients several
	// times over. The collector is the default one, as in Kafka's own scripts: the parallel and the
	// serial one cost as much CPU time here, and the parallel one takes more memory.
	twinFlagsDefault = "-Xmx1g"
)

// twin is the program in Kafka Streams.
func twin() peer {
	return peer{name: peerTwin, group: twinGroup, invoices: twinTopics + "invoices",
		prepare: func(ctx context.Context, s *stage) error {
			return createOutputs(ctx, s, twinTopics, outputs()...)
		},
		command: twinCommand,
		ready:   awaitReadyLine,
		judge:   func(*stage, string) ([]string, error) { return nil, nil },
	}
}

// twinCommand starts the twin.
func twinCommand(s *stage, dir, http string) (*exec.Cmd, error) {
	if s.twinJars == "" {
		return nil, errors.New("the twin's jars are not given: run `make bench-peers`")
	}
	args := append(strings.Fields(s.twinFlags),
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", s.twinClasses+":"+filepath.Join(s.twinJars, "*"), twinClass,
		"brokers="+s.addr, "state="+dir)
	if http == "" {
		args = append(args, fmt.Sprintf("until=%d", s.totals.Events))
	}
	return exec.Command("java", args...), nil
}
