package tables_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
//	tariff CURRENCY [DIMENSION PRICE VAT STEP]...
//	fire TIME               moves stream time on: whatever is due by then is done
//	row                     prints the station's row
//	effects                 prints the parts that the station handed on since the last effects
//	told                    prints the invoices and anomalies that were sent since the last told
//	connectors              prints the station as the views tell it
//	session SESSION         prints a row
//	hour CONNECTOR TIME     prints a row
//	utilization CONNECTOR TIME
//	invoice SESSION         prints the bill as it is now
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

// script is what a script has come to: the tables of one station, with what passes between them.
type script struct {
	station  *tables.Station
	sessions map[chargestream.SessionID]*tables.Session
	hours    map[tables.HourKey]*tables.Hour
	tariff   *chargestream.TariffHistory
	queue    []func() // what was handed on and is not merged yet, in its order
	effects  []string
	told     []string
	now      chargestream.Millis // arrival of the last event, or stream time of the last firing
}

func newScript() *script {
	return &script{station: &tables.Station{}, hours: map[tables.HourKey]*tables.Hour{},
		sessions: map[chargestream.SessionID]*tables.Session{}}
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
	}
	return nil
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
		s.now = w.time()
		s.fire()
		return "", w.err
	case "tariff":
		s.tariff = w.tariff()
		return "", w.err
	}
	out := s.print(fields[0], w)
	if out == "" && w.err == nil {
		w.err = fmt.Errorf("no such command")
	}
	return out, w.err
}

func (w *words) tariff() *chargestream.TariffHistory {
	currency := w.next()
	var components []chargestream.PriceComponent
	for len(w.list) > 0 {
		kind, price, vat := w.next(), w.next(), w.next()
		step, err := strconv.ParseInt(w.next(), 10, 64)
		if err != nil {
			w.err = err
		}
		components = append(components, priced(kind, price, vat, step))
	}
	return tariffOf(currency, components...)
}

func (s *script) fold(event chargestream.Event) {
	before := s.station.Anomalies()
	var out tables.StationEffects
	s.station.Fold(event, s.now, &out)
	s.handOn(&out)
	s.tell(before, s.station.Anomalies())
}

// fire does what is due at the stations, and closes the windows whose grace is over.
func (s *script) fire() {
	for due := s.station.Due(); due != 0 && due <= s.now; due = s.station.Due() {
		var out tables.StationEffects
		s.station.Fire(s.now, &out)
		s.handOn(&out)
	}
	for key, row := range s.hours {
		if due := row.Due(key); due != 0 && due <= s.now {
			row.Closed = true
		}
	}
}

// handOn passes the parts on to the sessions and the windows, and theirs to each other.
func (s *script) handOn(out *tables.StationEffects) {
	for i := range out.Sessions {
		p := &out.Sessions[i]
		s.effects = append(s.effects, fmt.Sprintf("session %s: %s\n", p.ID, showSession(&p.Row)))
	}
	for i := range out.Hours {
		p := &out.Hours[i]
		s.effects = append(s.effects, fmt.Sprintf("hour %s: %s\n", showKey(p.Key),
			showHour(&p.Row)))
	}
	s.send(out.Sessions, out.Hours)
	for len(s.queue) > 0 {
		merge := s.queue[0]
		s.queue = s.queue[1:]
		merge()
	}
}

func (s *script) send(sessions []tables.SessionPart, hours []tables.HourPart) {
	for i := range sessions {
		s.queue = append(s.queue, func() { s.mergeSession(&sessions[i]) })
	}
	for i := range hours {
		s.queue = append(s.queue, func() { s.mergeHour(&hours[i]) })
	}
}

func (s *script) mergeSession(p *tables.SessionPart) {
	row := s.sessions[p.ID]
	if row == nil {
		row = &tables.Session{}
	}
	before := must(tables.DecodeSession(row.Append(nil)))
	row.Merge(&p.Row)
	s.sessions[p.ID] = row
	hours := row.Intervals(p.ID)
	if slices.EqualFunc(hours, before.Intervals(p.ID), func(a, b tables.HourPart) bool {
		return a.Key == b.Key && a.Row.Stays[0].Interval == b.Row.Stays[0].Interval
	}) {
		hours = nil
	}
	asks := func(s *tables.Session) bool {
		return s.Settled && len(s.Starts) > 0 && len(s.Ends) > 0
	}
	if asks(row) && !asks(before) {
		start := &row.Starts[0]
		hours = append(hours, tables.HourPart{Check: p.ID, Key: tables.HourKey{StationID: "st",
			ConnectorID: start.ConnectorID, Start: start.At.Truncate(chargestream.Hour)}})
	}
	s.send(nil, hours)
	s.tell(before.Anomalies(p.ID), row.Anomalies(p.ID))
	s.bill(p.ID, before, row)
}

func (s *script) mergeHour(p *tables.HourPart) {
	row := s.hours[p.Key]
	if row == nil {
		row = &tables.Hour{}
	}
	before := must(tables.DecodeHour(row.Append(nil)))
	row.Merge(&p.Row)
	s.hours[p.Key] = row
	s.tell(before.Overlaps(p.Key), row.Overlaps(p.Key))
	answers := row.Verdicts(before)
	if p.Check != "" {
		answers = append(answers, tables.SessionPart{ID: p.Check,
			Row: tables.Session{Verdict: row.Verdict(p.Check)}})
	}
	s.send(answers, nil)
}

// tell notes what changed of the anomalies.
func (s *script) tell(before, now []chargestream.Anomaly) {
	for _, a := range tables.AnomalyChanges(before, now, s.now) {
		s.told = append(s.told, showAnomaly(&a))
	}
}

// bill notes what changed of a session's invoice.
func (s *script) bill(id chargestream.SessionID, before, row *tables.Session) {
	old, sent := before.Invoice(id, s.tariff)
	now, due := row.Invoice(id, s.tariff)
	if sent && due && old.InvoiceID == now.InvoiceID {
		return
	}
	if sent {
		note := tables.CreditNote(old)
		s.told = append(s.told, showBill(&note))
	}
	if due {
		s.told = append(s.told, showBill(&now))
	}
}
