//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"chargestream/internal/kafkatest"
)

// Machine is what the figures were measured on.
type Machine struct {
	Time     string
	Cores    int
	CPU      string
	MemoryKB string
	Load     string
	Go       string
	Java     string
	Kafka    string
	Heap     string
	Revision string
}

// ThisMachine is the machine as it is now.
func ThisMachine() Machine {
	m := Machine{Time: time.Now().UTC().Format(time.RFC3339), Cores: runtime.NumCPU(),
		CPU:      field("/proc/cpuinfo", "model name"),
		MemoryKB: strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"),
		Go:       runtime.Version(), Kafka: kafkatest.KafkaVersion, Heap: heap}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.TrimSpace(string(text))
	}
	if text, err := exec.Command("java", "-version").CombinedOutput(); err == nil {
		m.Java, _, _ = strings.Cut(string(text), "\n")
	}
	// The build's own note of its revision may be switched off by GOFLAGS.
	if text, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Revision = strings.TrimSpace(string(text))
	}
	return m
}

// String is the machine in three lines.
func (m Machine) String() string {
	return fmt.Sprintf("%s; %d cores %s, %s kB RAM, load %s\n%s; Kafka %s, heap %s, %s\n"+
		"revision %s", m.Time, m.Cores, m.CPU, m.MemoryKB, m.Load, m.Go, m.Kafka,
		m.Heap, m.Java, m.Revision)
}

// field is the value behind a name in one of the kernel's files; empty where there is none.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, ":")
		if strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}
