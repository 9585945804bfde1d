package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/ingest"
	"chargestream/topics"
)

// firstShown is how many records of each kind a dry run shows.
const firstShown = 3

// importFlags are the flags of import.
type importFlags struct {
	columns      string
	tariffs      string
	stationsOnly bool
	dryRun       bool
	guess        bool
	skipBad      bool
	shuffle      string
	duplicate    bool
	offset       int
	limit        int
}

// importAnswer is what import prints.
type importAnswer struct {
	Sessions int            `json:"sessions"` // rows of the file that could be read
	Starts   int            `json:"starts"`
	Ends     int            `json:"ends"`
	Stations int            `json:"stations"`
	Tariffs  int            `json:"tariffs"`
	Skipped  int            `json:"skipped"`
	Repeated int            `json:"repeated_ids,omitempty"` // rows with an id that came before
	DryRun   bool           `json:"dry_run,omitempty"`
	Produced map[string]int `json:"produced"` // by topic; in a dry run what would be
	// Summary and First are those of a dry run.
	Summary *ingest.Summary `json:"summary,omitempty"`
	First   []shownRecord   `json:"first,omitempty"`
}

// shownRecord is a record as a dry run shows it.
type shownRecord struct {
	Topic   string          `json:"topic"`
	Key     string          `json:"key"`
	Arrival string          `json:"arrival,omitempty"`
	Value   json.RawMessage `json:"value"`
}

// batch is everything that one import produces.
type batch struct {
	reference []ingest.Record // registry and tariffs
	events    []ingest.Record
	summary   ingest.Summary
	answer    importAnswer
}

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Produce charging sessions from a CSV file, in the order in which they arrived",
		Long: "Produce charging sessions from a CSV file, in the order in which they arrived. A " +
			"column map says what is in which column. Registry and tariffs come first. To import " +
			"a file twice does no harm: every event is folded once.",
		Example: `chargestream import --guess sessions.csv > map.yaml
chargestream import sessions.csv --map map.yaml --dry-run
chargestream import sessions.csv --map map.yaml --tariffs tariffs.json --brokers localhost:9092
chargestream import sessions.csv --map map.yaml --brokers localhost:9092 --offset 0 --limit 5000
chargestream import sessions.csv --map map.yaml --brokers localhost:9092 --shuffle 7 --duplicate`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(fmt.Sprintf("one file is needed, %d are given", len(args)),
					"see \"chargestream import --help\"")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.guess {
				return a.guessMap(args[0])
			}
			return a.runImport(cmd.Context(), args[0], &f)
		},
	}
	a.kafkaFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.columns, "map", "",
		"YAML `file` that says what is in which column; required")
	flags.StringVar(&f.tariffs, "tariffs", "", "JSON `file` of tariffs to produce as well")
	flags.BoolVar(&f.stationsOnly, "stations-only", false,
		"produce registry and tariffs, no events")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what the file holds, what looks wrong with "+
		"it and what would be produced; needs no broker")
	flags.BoolVar(&f.guess, "guess", false, "print a map for the file, to be looked at and "+
		"edited; needs no broker")
	flags.BoolVar(&f.skipBad, "skip-bad", false, "leave out rows that cannot be read; else they "+
		"end the import before it begins")
	flags.StringVar(&f.shuffle, "shuffle", "", "produce the events in the order of this `seed`")
	flags.BoolVar(&f.duplicate, "duplicate", false, "produce every event twice")
	flags.IntVar(&f.offset, "offset", 0, "leave out this `number` of events; counted after "+
		"--duplicate and --shuffle")
	flags.IntVar(&f.limit, "limit", 0, "produce at most this `number` of events; 0 is all")
	return cmd
}

func (a *app) runImport(ctx context.Context, path string, f *importFlags) error {
	b, err := a.readBatch(path, f)
	if err != nil {
		return err
	}
	if f.dryRun {
		b.answer.DryRun, b.answer.Summary = true, &b.summary
		for _, list := range [][]ingest.Record{b.reference, b.events} {
			b.answer.First = append(b.answer.First, firstOf(list)...)
			for _, r := range list {
				b.answer.Produced[r.Topic]++
			}
		}
		if err := a.printDryRun(&b.answer); err != nil {
			return err
		}
		return f.badRows(path, b.answer.Sessions, b.answer.Skipped)
	}
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := a.needTopics(ctx, client, b.topics()...); err != nil {
		return err
	}
	p := newProducer(ctx, client, a.newProgress("produced", len(b.reference)+len(b.events)))
	err = produce(p, b)
	b.answer.Produced = p.close()
	if err != nil {
		failed := a.kafkaError("produce", err)
		var exit *exitError
		if errors.As(failed, &exit) && exit.code == exitRuntime {
			exit.hint = "import the file again: what is there already is folded once"
		}
		return failed
	}
	return a.printImported(&b.answer)
}

// produce sends the reference data and waits for it, so that no event is before its station.
func produce(p *producer, b *batch) error {
	for _, list := range [][]ingest.Record{b.reference, b.events} {
		for _, r := range list {
			p.send(kafkaRecord(r))
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

func kafkaRecord(r ingest.Record) *kgo.Record {
	record := &kgo.Record{Topic: r.Topic, Key: []byte(r.Key), Value: r.Value}
	if r.Arrival != 0 {
		record.Headers = []kgo.RecordHeader{{Key: topics.HeaderArrival,
			Value: []byte(r.Arrival.String())}}
	}
	return record
}

// topics are the topics that a batch writes.
func (b *batch) topics() []string {
	var names []string
	seen := map[string]bool{}
	for _, list := range [][]ingest.Record{b.reference, b.events} {
		for _, r := range list {
			if !seen[r.Topic] {
				seen[r.Topic] = true
				names = append(names, r.Topic)
			}
		}
	}
	return names
}

// readBatch reads the files that the flags name.
func (a *app) readBatch(path string, f *importFlags) (*batch, error) {
	if f.columns == "" {
		return nil, usageError("no column map is given", "set --map FILE; \"chargestream import "+
			"--guess FILE\" proposes one")
	}
	if f.offset < 0 || f.limit < 0 {
		return nil, usageError("--offset and --limit must not be negative", "")
	}
	sessions, err := a.readSessions(path, f)
	if err != nil {
		return nil, err
	}
	b := &batch{reference: sessions.Stations, summary: sessions.Summary,
		answer: importAnswer{Repeated: sessions.Summary.RepeatedIDs, Sessions: sessions.Rows,
			Starts: sessions.Starts, Ends: sessions.Ends, Stations: len(sessions.Stations),
			Skipped: sessions.BadRows, Produced: map[string]int{}}}
	if f.tariffs != "" {
		text, err := readFile(f.tariffs)
		if err != nil {
			return nil, err
		}
		tariffs, err := ingest.ReadTariffs(text)
		if err != nil {
			return nil, &exitError{code: exitInvalid, what: f.tariffs + " cannot be used", err: err}
		}
		b.reference = append(b.reference, tariffs...)
		b.answer.Tariffs = len(tariffs)
	}
	// By all events of the file, so that its parts, imported one by one, agree.
	b.reference = ingest.Backdate(b.reference, sessions.Events)
	if !f.stationsOnly {
		if b.events, err = f.arrange(sessions.Events); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// arrange puts the events in the order that the flags ask for, and cuts them.
func (f *importFlags) arrange(events []ingest.Record) ([]ingest.Record, error) {
	if f.duplicate {
		events = ingest.Duplicate(events)
	}
	if f.shuffle != "" {
		seed, err := strconv.ParseUint(f.shuffle, 10, 64)
		if err != nil {
			return nil, usageError(fmt.Sprintf("--shuffle %q is no whole number", f.shuffle), "")
		}
		events = ingest.Shuffle(events, seed)
	}
	return ingest.Cut(events, f.offset, f.limit), nil
}

// readSessions reads the file of sessions and writes its bad rows to stderr.
func (a *app) readSessions(path string, f *importFlags) (sessions *ingest.Sessions, err error) {
	text, err := readFile(f.columns)
	if err != nil {
		return nil, err
	}
	columns, err := ingest.ParseMap(text)
	if err != nil {
		return nil, &exitError{code: exitInvalid, what: f.columns + " cannot be used", err: err,
			hint: "examples/belib-paris-2017.yaml shows how a map is written"}
	}
	columns.Latest = chargestream.MillisOf(time.Now()) + chargestream.Day // clocks differ
	file, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sessions, err = ingest.ReadSessions(file, columns)
	if err != nil {
		return nil, &exitError{code: exitInvalid, what: path + " cannot be imported", err: err,
			hint: "check the file and " + f.columns}
	}
	for _, bad := range sessions.Bad {
		if _, err := fmt.Fprintf(a.stderr, "%s:%d: %s\n", path, bad.Line, bad.Reason); err != nil {
			return nil, err
		}
	}
	for _, r := range sessions.Summary.Repeated {
		kind := "with other values"
		if r.Same {
			kind = "with the same values"
		}
		if _, err := fmt.Fprintf(a.stderr, "%s:%d: session_id %q of station %q was in line %d "+
			"before, %s\n", path, r.Line, r.SessionID, r.StationID, r.Before, kind); err != nil {
			return nil, err
		}
	}
	if !f.dryRun { // that shows what could be read first
		err = f.badRows(path, sessions.Rows, sessions.BadRows)
	}
	return sessions, err
}

// badRows is the error of a file with rows that cannot be read; nil without.
func (f *importFlags) badRows(path string, rows, bad int) error {
	if bad == 0 || f.skipBad {
		return nil
	}
	return &exitError{code: exitInvalid, what: fmt.Sprintf("%s: %d of %d rows cannot be "+
		"read, nothing was produced", path, bad, rows+bad),
		hint: "mend them, or leave them out with --skip-bad"}
}

// firstOf shows the first records of each topic.
func firstOf(records []ingest.Record) []shownRecord {
	var shown []shownRecord
	counts := map[string]int{}
	for _, r := range records {
		if counts[r.Topic]++; counts[r.Topic] <= firstShown {
			shown = append(shown, shownRecord{Topic: r.Topic, Key: r.Key,
				Arrival: r.Arrival.String(), Value: r.Value})
		}
	}
	return shown
}
