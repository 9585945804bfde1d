package tabletest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream"
)

// Machine carries out the commands of a script.
type Machine interface {
	// Fold folds an event that arrived at arrival. No timer fires before it.
	Fold(event chargestream.Event, arrival chargestream.Millis) error
	// Fire moves stream time on to now: what is due by then fires.
	Fire(now chargestream.Millis) error
	// Do carries out any other command and gives what it prints. The error is ErrCommand where
	// there is no such command.
	Do(command string, w *Words) (string, error)
}

// ErrCommand is returned for a command that a machine does not have.
var ErrCommand = errors.New("no such command")

// RunScripts runs the scripts in the folders of testdata: what happens at one station, st, in the
// words of a small language, and what its rows make of it.
//
// A script is prose, in lines that begin with #, and blocks. A block is commands, a line of four
// dashes and what the commands printed, up to the next empty line. Times are those of Monday,
// 2026-03-02; 1d10:00 is ten o'clock of the day after. An event arrives when it happens, but for
// arrival=TIME.
//
//	status CONNECTOR TIME WORD [code=TEXT]
//	start SESSION USER CONNECTOR TIME [meter=WH]
//	end SESSION TIME [CONNECTOR] [meter=WH] [energy=WH] [reason=TEXT]
//	record SESSION USER CONNECTOR TIME TIME [energy=WH] [meter=WH]
//	meter CONNECTOR TIME [SESSION] [wh=WH] [w=W] [soc=PERMILLE]
//	heartbeat TIME
//	decision ID ACTION SESSION TIME [holds=REASON,...] [energy=WH] [from=TIME] [to=TIME]
//	    [user=USER] [tariff=ID]
//	fire TIME               moves stream time on: whatever is due by then is done
//
// The commands that print are those of the machine. With update, what they print is written to the
// scripts.
func RunScripts(t *testing.T, update bool, start func() Machine) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata"+string(filepath.Separator)),
			".txt")
		t.Run(filepath.ToSlash(name), func(t *testing.T) {
			runScript(t, path, update, start())
		})
	}
}

func runScript(t *testing.T, path string, update bool, m Machine) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var printed []string
	expected := false
	for number, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		switch {
		case expected && line != "":
			continue // what was printed when the script was written
		case line == "----":
			expected = true
			got.WriteString(line + "\n" + strings.Join(printed, ""))
			printed = nil
			continue
		case line != "" && line[0] != '#':
			out, err := run(m, strings.Fields(line))
			if err != nil {
				t.Fatalf("%s:%d: %q: %v", path, number+1, line, err)
			}
			printed = append(printed, out)
		}
		expected = false
		got.WriteString(line + "\n")
	}
	if len(printed) > 0 {
		t.Fatalf("%s: the last block has no ----", path)
	}
	if update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Error(diff)
	}
}

// run carries out a command and gives what it prints.
func run(m Machine, fields []string) (string, error) {
	w := wordsOf(fields[1:])
	if event := w.event(fields[0]); event != nil {
		arrival := event.At()
		if _, ok := w.Named["arrival"]; ok {
			arrival = w.TimeOf("arrival")
		}
		if err := w.end(); err != nil {
			return "", err
		}
		return "", m.Fold(event, arrival)
	}
	if fields[0] == "fire" {
		now := w.Time()
		if err := w.end(); err != nil {
			return "", err
		}
		return "", m.Fire(now)
	}
	out, err := m.Do(fields[0], w)
	return out, errors.Join(err, w.end())
}

// Words are the arguments of a command: those in order, and those with a name.
type Words struct {
	list  []string
	Named map[string]string
	err   error
}

func wordsOf(fields []string) *Words {
	w := &Words{Named: map[string]string{}}
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, "="); ok {
			w.Named[name] = value
		} else {
			w.list = append(w.list, f)
		}
	}
	return w
}

// end is the first error, or that there are more arguments than the command has.
func (w *Words) end() error {
	if w.err == nil && len(w.list) > 0 {
		return fmt.Errorf("%q are more arguments than the command has", w.list)
	}
	return w.err
}

// Fail notes an error.
func (w *Words) Fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// More reports whether there is another argument in order.
func (w *Words) More() bool { return len(w.list) > 0 }

// Next takes the next argument in order.
func (w *Words) Next() string {
	if len(w.list) == 0 {
		w.Fail(errors.New("an argument is missing"))
		return ""
	}
	first := w.list[0]
	w.list = w.list[1:]
	return first
}

// Optional takes the next argument in order, if there is one.
func (w *Words) Optional() string {
	if len(w.list) == 0 {
		return ""
	}
	return w.Next()
}

// Time takes the next argument in order as a time.
func (w *Words) Time() chargestream.Millis { return w.parseTime(w.Next()) }

// TimeOf is the time of a name, zero where it is not given.
func (w *Words) TimeOf(name string) chargestream.Millis {
	if text, ok := w.Named[name]; ok {
		return w.parseTime(text)
	}
	return 0
}

func (w *Words) parseTime(text string) chargestream.Millis {
	day, clock := chargestream.Millis(0), text
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(before)
		if err != nil {
			w.Fail(err)
		}
		day, clock = chargestream.Millis(n), after
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, clock); err == nil {
			midnight := at.Truncate(24 * time.Hour)
			return Begin + day*chargestream.Day +
				chargestream.Millis(at.Sub(midnight).Milliseconds())
		}
	}
	w.Fail(fmt.Errorf("%q is no time", text))
	return 0
}

// Number is the number of a name, nil where it is not given.
func Number[T ~int64](w *Words, name string) *T {
	text, ok := w.Named[name]
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		w.Fail(err)
	}
	return Of(T(n))
}
