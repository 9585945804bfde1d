package tables_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/tables"
)

// TestScripts runs the scripts in testdata: what happens at one station, st, in the words of a
// small language, and what its tables make of it.
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
//	tariff CURRENCY [DIMENSION PRICE VAT STEP]... [id=ID] [valid=TIME] [arrival=TIME]
//	registry [tariff=ID] [zone=NAME] [power=W] [arrival=TIME]
//	fire TIME               moves stream time on: whatever is due by then is done
//	row                     prints the station's row
//	effects                 prints the parts that the station handed on since the last effects
//	told                    prints the invoices and anomalies that were sent since the last told
//	connectors              prints the station as the views tell it
//	session SESSION         prints a row
//	hour CONNECTOR TIME     prints a row
//	utilization CONNECTOR TIME
//	invoice SESSION         prints the bill that is live now
//	parking SESSION         prints how long of it is billed as parking
//
// A tariff or an entry of the registry is known since the day before, but for arrival=TIME. The
// station names the tariff t until its registry says otherwise.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(strings.TrimPrefix(path, "testdata"+string(filepath.Separator)),
			".txt")
		t.Run(filepath.ToSlash(name), func(t *testing.T) { runScript(t, path) })
	}
}

func runScript(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	s := newScript()
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
			out, err := s.run(strings.Fields(line))
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
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Error(diff)
	}
}

// script is what a script has come to.
type script struct {
	*pump
	shelf   *shelf
	effects []string
	told    []string
}

func newScript() *script {
	s := &script{shelf: newShelf()}
	s.pump = newPump(s.shelf)
	s.handed = s.note
	s.anomaly = func(a chargestream.Anomaly) { s.told = append(s.told, showAnomaly(&a)) }
	s.invoice = func(v chargestream.Invoice) { s.told = append(s.told, showBill(&v)) }
	return s
}

// note keeps what the station handed on.
func (s *script) note(out *tables.StationEffects) {
	for i := range out.Sessions {
		p := &out.Sessions[i]
		s.effects = append(s.effects, fmt.Sprintf("session %s: %s\n", p.ID, showSession(&p.Row)))
	}
	for i := range out.Hours {
		p := &out.Hours[i]
		s.effects = append(s.effects, fmt.Sprintf("hour %s: %s\n", showKey(p.Key),
			showHour(&p.Row)))
	}
}

// words are the arguments of a command: those in order, and those with a name.
type words struct {
	list  []string
	named map[string]string
	err   error
}

func wordsOf(fields []string) *words {
	w := &words{named: map[string]string{}}
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, "="); ok {
			w.named[name] = value
		} else {
			w.list = append(w.list, f)
		}
	}
	return w
}

// next takes the next argument in order.
func (w *words) next() string {
	if len(w.list) == 0 {
		w.err = fmt.Errorf("an argument is missing")
		return ""
	}
	first := w.list[0]
	w.list = w.list[1:]
	return first
}

// optional takes the next argument in order, if there is one.
func (w *words) optional() string {
	if len(w.list) == 0 {
		return ""
	}
	return w.next()
}

func (w *words) time() chargestream.Millis { return w.parseTime(w.next()) }

func (w *words) parseTime(text string) chargestream.Millis {
	day, clock := chargestream.Millis(0), text
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.Atoi(before)
		if err != nil {
			w.err = err
		}
		day, clock = chargestream.Millis(n), after
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, clock); err == nil {
			midnight := at.Truncate(24 * time.Hour)
			return begin + day*chargestream.Day +
				chargestream.Millis(at.Sub(midnight).Milliseconds())
		}
	}
	w.err = fmt.Errorf("%q is no time", text)
	return 0
}

// number is the number of a name, nil where it is not given.
func number[T ~int64](w *words, name string) *T {
	text, ok := w.named[name]
	if !ok {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		w.err = err
	}
	return of(T(n))
}

// event reads a command that is an event; nil for one that is not.
func (w *words) event(command string) chargestream.Event {
	switch command {
	case "status":
		return &chargestream.StatusReport{StationID: "st",
			ConnectorID: chargestream.ConnectorID(w.next()), Time: w.time(), Status: w.next(),
			ErrorCode: w.named["code"]}
	case "start":
		return w.start()
	case "end":
		e := &chargestream.SessionEnd{StationID: "st", SessionID: chargestream.SessionID(w.next()),
			Time: w.time(), ConnectorID: chargestream.ConnectorID(w.optional())}
		w.amounts(e)
		return e
	case "record":
		start := w.start()
		end := chargestream.SessionEnd{StationID: "st", ConnectorID: start.ConnectorID,
			SessionID: start.SessionID, UserID: start.UserID, Time: w.time()}
		w.amounts(&end)
		start.Meter = nil
		return &chargestream.SessionRecord{Start: *start, End: end}
	case "meter":
		return &chargestream.MeterValue{StationID: "st",
			ConnectorID: chargestream.ConnectorID(w.next()), Time: w.time(),
			SessionID: chargestream.SessionID(w.optional()),
			Energy:    number[chargestream.WattHours](w, "wh"),
			Power:     number[chargestream.Watts](w, "w"),
			SoC:       number[chargestream.Permille](w, "soc")}
	case "heartbeat":
		return &chargestream.Heartbeat{StationID: "st", Time: w.time()}
	case "decision":
		return w.decision()
	}
	return nil
}

func (w *words) decision() *chargestream.Decision {
	d := &chargestream.Decision{StationID: "st", DecisionID: w.next(),
		Action: chargestream.DecisionAction(w.next()), SessionID: chargestream.SessionID(w.next()),
		Time: w.time(), By: "ada", Reason: "seen",
		Correction: chargestream.Correction{Energy: number[chargestream.WattHours](w, "energy"),
			StartTime: w.optionalTime("from"), EndTime: w.optionalTime("to"),
			UserID:   chargestream.UserID(w.named["user"]),
			TariffID: chargestream.TariffID(w.named["tariff"])}}
	if holds := w.named["holds"]; holds != "" {
		for _, reason := range strings.Split(holds, ",") {
			d.Holds = append(d.Holds, chargestream.HoldReason(reason))
		}
	}
	return d
}

// optionalTime is the time of a name, zero where it is not given.
func (w *words) optionalTime(name string) chargestream.Millis {
	if text, ok := w.named[name]; ok {
		return w.parseTime(text)
	}
	return 0
}

// arrival is when reference data arrived: the day before, where nothing else is said.
func (w *words) arrival() chargestream.Millis {
	if _, ok := w.named["arrival"]; ok {
		return w.optionalTime("arrival")
	}
	return yesterday
}

func (w *words) start() *chargestream.SessionStart {
	return &chargestream.SessionStart{StationID: "st", SessionID: chargestream.SessionID(w.next()),
		UserID: chargestream.UserID(w.next()), ConnectorID: chargestream.ConnectorID(w.next()),
		Time: w.time(), Meter: number[chargestream.WattHours](w, "meter")}
}

func (w *words) amounts(e *chargestream.SessionEnd) {
	e.Energy = number[chargestream.WattHours](w, "energy")
	e.Meter = number[chargestream.WattHours](w, "meter")
	e.Reason = w.named["reason"]
}

// run does a command and gives what it prints.
func (s *script) run(fields []string) (string, error) {
	w := wordsOf(fields[1:])
	if event := w.event(fields[0]); event != nil {
		s.now = event.At()
		if text, ok := w.named["arrival"]; ok {
			s.now = w.parseTime(text)
		}
		if w.err == nil && len(w.list) > 0 {
			w.err = fmt.Errorf("more arguments than %s has", fields[0])
		}
		if w.err == nil {
			s.fold(event)
		}
		return "", w.err
	}
	switch fields[0] {
	case "fire":
		s.fire(w.time())
		return "", w.err
	case "tariff":
		s.publish(w)
		return "", w.err
	case "registry":
		s.register(w)
		return "", w.err
	}
	out := s.print(fields[0], w)
	if out == "" && w.err == nil {
		w.err = fmt.Errorf("no such command")
	}
	return out, w.err
}

// publish makes a tariff known, and, where there is no entry for the station yet, that it names t.
func (s *script) publish(w *words) {
	currency := w.next()
	var components []component
	for len(w.list) > 0 {
		c := component{Type: w.next(), Price: json.Number(w.next()), VAT: json.Number(w.next())}
		step, err := strconv.ParseInt(w.next(), 10, 64)
		if err != nil {
			w.err = err
		}
		c.Step = step
		components = append(components, c)
	}
	id, valid := chargestream.TariffID("t"), yesterday
	if name, ok := w.named["id"]; ok {
		id = chargestream.TariffID(name)
	}
	if _, ok := w.named["valid"]; ok {
		valid = w.optionalTime("valid")
	}
	s.shelf.publish(w.arrival(), id, versionOf(valid, currency, components...))
	if s.shelf.references["st"] == nil {
		s.shelf.register(yesterday, &chargestream.StationInfo{StationID: "st", TariffID: "t"})
	}
}

func (s *script) register(w *words) {
	info := &chargestream.StationInfo{StationID: "st", TimeZone: w.named["zone"],
		TariffID: chargestream.TariffID(w.named["tariff"])}
	if power := number[chargestream.Watts](w, "power"); power != nil {
		info.MaxPower = *power
	}
	s.shelf.register(w.arrival(), info)
}

// live is the invoice of a session that is not credited; nil for none.
func (s *script) live(id chargestream.SessionID) *chargestream.Invoice {
	row := s.sessions[id]
	if row == nil {
		return nil
	}
	history := must(row.History(id, s.book, row.Told))
	if len(history) == 0 {
		return nil
	}
	return &history[len(history)-1]
}
