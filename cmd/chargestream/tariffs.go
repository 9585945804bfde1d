package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/documents"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
)

func (a *app) tariffsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tariffs",
		Short: "Check, write and show tariffs",
		Example: `chargestream tariffs validate tariffs.json
chargestream tariffs put tariffs.json --brokers localhost:9092
chargestream tariffs show city-ac --brokers localhost:9092`,
	}
	group(cmd)
	cmd.AddCommand(a.putTariffsCommand(), a.validateCommand(topics.Tariffs, "tariffs", "tariffs"),
		a.showTariffsCommand())
	return cmd
}

func (a *app) putTariffsCommand() *cobra.Command {
	var f sendFlags
	var validFrom string
	cmd := &cobra.Command{
		Use:   "put FILE|JSON|-",
		Short: "Write tariffs, checked by the readers of the processors",
		Long: "Write tariffs: objects with tariff_id and versions, each with all versions of its " +
			"tariff, which replace those before. An OCPI 2.2.1 Tariff as it is becomes one more " +
			"version of the tariff of its id, valid from --valid-from, else from its " +
			"start_date_time. If one would be refused none is written.",
		Example: `chargestream tariffs put tariffs.json --brokers localhost:9092
chargestream tariffs put ocpi.json --valid-from 2026-04-01T00:00:00Z --brokers localhost:9092`,
		Args: oneArg("a file, JSON, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			objects, err := readObjects(args[0])
			if err != nil {
				return err
			}
			return a.putTariffs(cmd.Context(), objects, validFrom, &f)
		},
	}
	a.kafkaFlags(cmd)
	cmd.Flags().StringVar(&validFrom, "valid-from", "",
		"the `time` from which an OCPI tariff is valid, RFC 3339")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check, and print what would be written")
	return cmd
}

func (a *app) putTariffs(ctx context.Context, objects []object, validFrom string,
	f *sendFlags) error {
	f.topic = topics.Tariffs
	known := map[string]*chargestream.TariffHistory{}
	if len(a.brokers) > 0 || !f.dryRun {
		var err error
		if known, err = a.readTariffs(ctx); err != nil {
			return err
		}
	}
	var bad refusals
	notes := []string{fmt.Sprintf("a tariff counts %d minutes after its arrival; bills that wait "+
		"for it follow at the end of the quarter hour; others that were made: \"chargestream "+
		"invoices reprice\"", chargestream.TariffDelay/chargestream.Minute)}
	for i, o := range objects {
		value, err := wrapTariff(o.value, validFrom, known)
		if err != nil {
			bad.add(o.line, err)
			continue
		}
		objects[i].value = value
		notes = append(notes, lostVersions(value, known)...)
		notes = append(notes, tariffDoubts(value)...)
		// The next object may be one more version of the same tariff.
		if h, err := pricing.ParseHistory(value); err == nil {
			known[processors.TariffKey(h.TariffID)] = h
		}
	}
	if err := bad.err(len(objects)); err != nil {
		return err
	}
	return a.send(ctx, objects, f, notes)
}

// tariffDoubts are what the versions of a tariff say that may not be meant.
func tariffDoubts(value []byte) []string {
	history, err := pricing.ParseHistory(value)
	if err != nil {
		return nil // it is refused
	}
	var notes []string
	for _, v := range history.Versions {
		tariff, err := pricing.Parse(v.Tariff)
		if err != nil {
			continue
		}
		for _, doubt := range tariff.Doubts() {
			which := string(history.TariffID)
			if len(history.Versions) > 1 {
				which += " from " + v.ValidFrom.String()
			}
			notes = append(notes, fmt.Sprintf("tariff %s: %s", which, doubt))
		}
	}
	return notes
}

// lostVersions says which versions of a tariff are no longer in what is written, and that it is
// written in another case than before.
func lostVersions(value []byte, known map[string]*chargestream.TariffHistory) []string {
	now, err := pricing.ParseHistory(value)
	if err != nil {
		return nil // it is refused
	}
	old := known[processors.TariffKey(now.TariffID)]
	if old == nil {
		return nil
	}
	var notes []string
	if old.TariffID != now.TariffID {
		notes = append(notes, fmt.Sprintf("%s is the tariff that is known as %s: ids are "+
			"compared without case", now.TariffID, old.TariffID))
	}
	for _, v := range old.Versions {
		if !now.Bare && !slices.ContainsFunc(now.Versions, func(o chargestream.TariffVersion) bool {
			return o.ValidFrom == v.ValidFrom
		}) {
			notes = append(notes, fmt.Sprintf("the version of %s from %s is no longer in it",
				now.TariffID, v.ValidFrom))
		}
	}
	return notes
}

// wrapTariff makes a record of an OCPI Tariff: one more version of what is known of it. A record
// stays as it is.
func wrapTariff(value []byte, validFrom string, known map[string]*chargestream.TariffHistory) (
	[]byte, error) {
	var ocpi struct {
		ID       string          `json:"id"`
		Start    string          `json:"start_date_time"`
		Elements json.RawMessage `json:"elements"`
		Versions json.RawMessage `json:"versions"`
	}
	if json.Unmarshal(value, &ocpi) != nil || ocpi.Versions != nil || ocpi.Elements == nil {
		return value, nil // the reader says what is wrong
	}
	if ocpi.ID == "" {
		return nil, errors.New("id: is missing; an OCPI tariff is written under its id")
	}
	text := cmp.Or(validFrom, ocpi.Start)
	if text == "" {
		return nil, fmt.Errorf("tariff %q does not say from when it is valid: set --valid-from, "+
			"or its start_date_time", ocpi.ID)
	}
	version := chargestream.TariffVersion{Tariff: value}
	if err := version.ValidFrom.UnmarshalText([]byte(text)); err != nil {
		return nil, fmt.Errorf("tariff %q, valid from %q: %w; write 2026-04-01T00:00:00Z", ocpi.ID,
			text, err)
	}
	history := chargestream.TariffHistory{TariffID: chargestream.TariffID(ocpi.ID)}
	if old := known[processors.TariffKey(history.TariffID)]; old != nil {
		history.TariffID = old.TariffID // as it was first written
		history.Versions = slices.DeleteFunc(slices.Clone(old.Versions),
			func(v chargestream.TariffVersion) bool { return v.ValidFrom == version.ValidFrom })
	}
	history.Versions = append(history.Versions, version)
	slices.SortFunc(history.Versions, func(a, b chargestream.TariffVersion) int {
		return cmp.Compare(a.ValidFrom, b.ValidFrom)
	})
	return json.Marshal(history)
}

// readTariffs reads the newest record of each tariff that can be read, by the key of its row. Of an
// OCPI Tariff that was written as it is, its versions are those of the table: it follows what was
// known before.
func (a *app) readTariffs(ctx context.Context) (map[string]*chargestream.TariffHistory, error) {
	client, err := a.readingClient(ctx, topics.Tariffs, topics.Table(topics.TableTariffs))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	known, arrivals := map[string]*chargestream.TariffHistory{}, map[string]int64{}
	bare := false
	_, err = a.eachRecord(ctx, client, topics.Tariffs, nil, func(r *kgo.Record) error {
		key := processors.TariffKey(chargestream.TariffID(r.Key))
		arrival := engine.ArrivalOf(engine.HeadersOf(r), r.Timestamp.UnixMilli())
		if arrival < arrivals[key] {
			return nil // another spelling lies in another partition
		}
		h, err := pricing.ParseHistory(r.Value)
		switch {
		case len(r.Value) == 0:
			delete(known, key)
		case err != nil || processors.TariffKey(h.TariffID) != key:
			return nil
		default:
			known[key] = h
			bare = bare || h.Bare
		}
		arrivals[key] = arrival
		return nil
	})
	if err != nil || !bare {
		return known, err
	}
	rows, err := a.newestRows(ctx, client, topics.TableTariffs, "", allKeys)
	if err != nil {
		return nil, err
	}
	for key, h := range known {
		if !h.Bare || len(rows[key]) == 0 {
			continue
		}
		row, err := tables.DecodeTariff(rows[key])
		if err != nil {
			return nil, err
		}
		if n := len(row.Revisions); n > 0 && len(row.Revisions[n-1].Versions) > 0 {
			h.Versions = row.Revisions[n-1].Versions
		}
	}
	return known, nil
}

func (a *app) showTariffsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [ID]",
		Short: "Show the tariffs that count, or all versions of one with its prices",
		Long: "Show the tariffs that count, or all versions of one with its prices, as the " +
			"tariffs topic has them. A record that the processors refused does not count: the " +
			"last good one is shown.",
		Example: `chargestream tariffs show --brokers localhost:9092
chargestream tariffs show city-ac --brokers localhost:9092 -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneArg("the id of a tariff, or none for all")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := a.readTariffs(cmd.Context())
			if err != nil {
				return err
			}
			for i, id := range args {
				args[i] = processors.TariffKey(chargestream.TariffID(id))
				if known[args[i]] != nil {
					continue
				}
				return &exitError{code: exitNotFound,
					what: fmt.Sprintf("no tariff %q counts", id),
					hint: "see \"chargestream tariffs show\", and \"chargestream dead-letters " +
						"list --reason tariff_refused\" for those that were refused"}
			}
			return a.showTariffs(known, args)
		},
	}
	a.kafkaFlags(cmd)
	return cmd
}

func (a *app) showTariffs(known map[string]*chargestream.TariffHistory, ids []string) error {
	detail := len(ids) > 0
	if !detail {
		for id := range known {
			ids = append(ids, id)
		}
		slices.Sort(ids)
	}
	for _, id := range ids {
		h := known[id]
		if a.output == outputJSON {
			if err := a.printJSON(h); err != nil {
				return err
			}
			continue
		}
		var text bytes.Buffer
		last := h.Versions[len(h.Versions)-1]
		fmt.Fprintf(&text, "%s  %s, the newest valid from %s\n", harmless(string(h.TariffID)),
			documents.Counted(len(h.Versions), "version", "versions"), last.ValidFrom)
		for i := 0; detail && i < len(h.Versions); i++ {
			writeVersion(&text, &h.Versions[i])
		}
		if err := a.printf("%s", text.String()); err != nil {
			return err
		}
	}
	if len(ids) == 0 && a.output != outputJSON {
		return a.printf("no tariff counts; write one with \"chargestream tariffs put\"\n")
	}
	return nil
}
