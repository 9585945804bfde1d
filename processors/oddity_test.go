package processors_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/topics"
)

// TestOddities runs the scripts in testdata/oddities: what real chargers do, and what must come
// out. All processors are there, as in production, without a broker.
//
// A script is prose, in lines that begin with #, and blocks. A block is commands, a line of four
// dashes and what was told since the block before, up to the next empty line. Commands stand in
// the order of arrival. Times are UTC, of Monday 2026-03-02 or of the day that was set; 1d10:00 is
// ten o'clock of the day after, and 2026-03-01T10:00 says it all. What happens arrives at once, but
// for arrives=TIME.
//
//	day DATE
//	empty                                  no registry and no tariff but what the script tells
//	station ID [zone=] [tariff=] [rating=W] [max=W] [calibrated=yes] [serial=]
//	        [key=] [arrives=]                  the public key, none, or the one that signs
//	tariff ID VALID-FROM CURRENCY TERM...  a version more of a tariff
//	edit ID VALID-FROM CURRENCY TERM...    a tariff with this version only, in place of the old
//	start SESSION USER CONNECTOR TIME [meter=WH] [signed=...] [at=STATION]
//	end SESSION TIME [on=CONNECTOR] [meter=WH] [kwh=KWH] [reason=] [signed=...] [at=STATION]
//	record SESSION USER CONNECTOR TIME TIME [kwh=KWH]
//	sample CONNECTOR TIME [SESSION] [wh=WH] [w=W] [context=] [signed=...]
//	status CONNECTOR TIME WORD
//	decision ACTION SESSION TIME [by=] [reason=] [holds=A,B] [kwh=] [from=] [to=] [user=]
//	         [tariff=]
//	raw TOPIC KEY TIME JSON                any bytes at all, arriving at TIME
//	time TIME                              moves stream time on; a timer fires a second late
//	window CONNECTOR TIME                  prints the utilization of an hour
//
// A TERM is DIMENSION PRICE VAT% [per STEP], with no-vat where the tariff tells none; min_price or
// max_price EXCL/INCL; or "when NAME=VALUE..." and "else", which begin another element.
// A signed value is TX:TIME:KWH[:PAGE], as B:10:00:1.000, several are parted by a comma.
func TestOddities(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "oddities", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			o := playOddity(t, path)
			o.checkBills(t)
			o.checkRepeats(t)
		})
	}
}

// playOddity runs a script and holds what was told against what it expects.
func playOddity(t *testing.T, path string) *oddity {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := newOddity(t)
	var got strings.Builder
	expected := false
	for number, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		switch {
		case expected && line != "":
			continue // what was told when the script was written
		case line == "----":
			expected = true
			got.WriteString(line + "\n" + o.tell())
			continue
		case line != "" && line[0] != '#':
			if err := o.run(line); err != nil {
				t.Fatalf("%s:%d: %q: %v", path, number+1, line, err)
			}
		}
		expected = false
		got.WriteString(line + "\n")
	}
	if rest := o.tell(); rest != "nothing\n" {
		t.Errorf("%s: told after the last block:\n%s", path, rest)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if diff := cmp.Diff(string(text), got.String()); diff != "" {
		t.Error(diff)
	}
	return o
}

// oddityStation is the station of whatever names none.
const oddityStation = "st"

// oddity is what a script has come to.
type oddity struct {
	day     chargestream.Millis // to which times without a date belong
	now     chargestream.Millis // arrival of what was fed last
	begun   bool                // the reference data was fed
	known   bool                // the script has told of the station itself
	tariffs map[string]*chargestream.TariffHistory
	keys    *oddityKeys
	ids     int // of decisions

	driver *engine.Driver
	steps  []oddityStep // what was fed, for the repeats
	told   oddityTold
	opened map[string]bool // anomalies that were printed as open
	next   [3]int          // of told.dead, told.anomalies and told.bills: what was not printed yet
	prints []string
}

// oddityStep is a record, or without one a move of stream time.
type oddityStep struct {
	record *engine.Message
	time   chargestream.Millis
}

func newOddity(t *testing.T) *oddity {
	o := &oddity{day: begin.Truncate(chargestream.Day) + chargestream.Day,
		tariffs: map[string]*chargestream.TariffHistory{}, opened: map[string]bool{},
		keys: newOddityKeys(t)}
	o.driver = newOddityDriver(t, &o.told)
	return o
}

func newOddityDriver(t *testing.T, told *oddityTold) *engine.Driver {
	d, err := engine.NewDriver(partitions, processors.All(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	d.OnRecord = told.take
	return d
}

// run does one command.
func (o *oddity) run(line string) error {
	w := oddityWordsOf(line)
	w.day = o.day
	command := w.next()
	var err error
	switch command {
	case "day":
		o.day = w.time()
	case "empty":
		o.begun = true
	case "station":
		err = o.station(w)
	case "tariff", "edit":
		err = o.tariff(w, command == "edit")
	case "time":
		if err = o.begin(); err == nil {
			err = o.move(w.time())
		}
	case "window":
		o.prints = append(o.prints, o.told.window(w.next(), w.time(), o.day))
	case "raw":
		if err = o.begin(); err == nil {
			topic, key, at := w.next(), w.next(), w.time()
			err = o.feed(topic, key, []byte(w.rest()), at)
		}
	default:
		err = o.say(command, w)
	}
	if err != nil {
		return err
	}
	return w.done()
}

// say feeds a command that is an event.
func (o *oddity) say(command string, w *oddityWords) error {
	if err := o.begin(); err != nil {
		return err
	}
	topic, event := o.event(command, w)
	if event == nil {
		return fmt.Errorf("no such command")
	}
	arrival := event.At()
	if text, ok := w.take("arrives"); ok {
		arrival = w.parse(text)
	}
	if w.err != nil {
		return w.err
	}
	value, err := codecs.EncodeEvent(event)
	if err != nil {
		return fmt.Errorf("encode %s: %w", command, err)
	}
	value = bytes.ReplaceAll(value, []byte(oddityMinus+"-"), []byte("-"))
	return o.feed(topic, string(event.Station()), value, arrival)
}

// begin feeds the usual reference data, unless the script has its own.
func (o *oddity) begin() error {
	if o.begun {
		return nil
	}
	o.begun = true
	if o.tariffs["t"] == nil {
		if err := o.tariff(o.words("t 2026-01-01 EUR ENERGY 0.40 20%"), false); err != nil {
			return err
		}
	}
	if o.known {
		return nil
	}
	return o.station(o.words(oddityStation))
}

func (o *oddity) words(line string) *oddityWords {
	w := oddityWordsOf(line)
	w.day = o.day
	return w
}

// feed takes a record. Scripts are told in the order of arrival, as a partition is read.
func (o *oddity) feed(topic, key string, value []byte, arrival chargestream.Millis) error {
	if arrival < o.now {
		return fmt.Errorf("arrives at %s, before what was told at %s", arrival, o.now)
	}
	o.now = arrival
	m := engine.Message{Topic: topic, Partition: -1, Key: key, HasKey: true, Value: value,
		Headers: []engine.Header{{Key: topics.HeaderArrival, Value: []byte(arrival.String())}},
		Arrival: int64(arrival), Timestamp: int64(arrival)}
	kept := m
	o.steps = append(o.steps, oddityStep{record: &kept, time: arrival})
	return o.driver.Feed(m)
}

func (o *oddity) move(at chargestream.Millis) error {
	if at < o.now {
		return fmt.Errorf("time runs backwards from %s", o.now)
	}
	o.now = at
	o.steps = append(o.steps, oddityStep{time: at})
	return o.driver.Tick(int64(at))
}
