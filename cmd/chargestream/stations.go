package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
	"chargestream/processors"
	"chargestream/topics"
)

func (a *app) stationsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stations",
		Short: "Check and write entries of the registry of stations",
		Example: `chargestream stations validate stations.json
chargestream stations put stations.json --brokers localhost:9092`,
	}
	group(cmd)
	var f sendFlags
	put := &cobra.Command{
		Use:   "put FILE|JSON|-",
		Short: "Write entries of the registry, checked by the readers of the processors",
		Long: "Write entries of the registry: an object, a list, or an object a line. Each is " +
			"the whole entry of its station and replaces the one before. If one would be " +
			"refused none is written. docs/format/events.md describes the fields.",
		Example: `chargestream stations put stations.json --brokers localhost:9092
chargestream stations put {"station_id":"A","tariff_id":"city-ac"} --dry-run`,
		Args: oneArg("a file, JSON, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			objects, err := readObjects(args[0])
			if err != nil {
				return err
			}
			f.topic = topics.Stations
			notes := []string{"an entry counts for sessions that begin after it, and for those " +
				"that waited for it; for other bills that were made: \"chargestream invoices " +
				"reprice\""}
			return a.send(cmd.Context(), objects, &f,
				append(notes, a.noTariffs(cmd.Context(), objects)...))
		},
	}
	a.kafkaFlags(put)
	put.Flags().BoolVar(&f.dryRun, "dry-run", false,
		"check, and print what would be written; needs no broker")
	cmd.AddCommand(put, a.validateCommand(topics.Stations, "stations", "entries of the registry"))
	return cmd
}

// noTariffs says which tariffs entries name that are not known yet. Where they cannot be read,
// writing says why.
func (a *app) noTariffs(ctx context.Context, objects []object) []string {
	if len(a.brokers) == 0 {
		return nil
	}
	known, err := a.readTariffs(ctx)
	if err != nil {
		return nil
	}
	var notes []string
	for _, o := range objects {
		info, err := codecs.DecodeStation(o.value)
		if err != nil || info.TariffID == "" || known[processors.TariffKey(info.TariffID)] != nil {
			continue
		}
		note := fmt.Sprintf("no tariff %q is known: what begins before \"chargestream tariffs "+
			"put\" is held for no_tariff until then", info.TariffID)
		if !slices.Contains(notes, note) && len(notes) < keysShown {
			notes = append(notes, note)
		}
	}
	return notes
}

// anyTime is from when an OCPI tariff is taken to be valid where it is only checked.
const anyTime = "2000-01-01T00:00:00Z"

// validateCommand checks a file of reference data; it needs no broker.
func (a *app) validateCommand(topic, noun, what string) *cobra.Command {
	return &cobra.Command{
		Use:     "validate FILE|JSON|-",
		Short:   "Check " + what + " as the processors read them; needs no broker",
		Example: "chargestream " + noun + " validate " + noun + ".json",
		Args:    oneArg("a file, JSON, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error {
			objects, err := readObjects(args[0])
			if err != nil {
				return err
			}
			check, bad := &checker{arrival: chargestream.MillisOf(time.Now())}, refusals{}
			var notes []string
			for _, o := range objects {
				value, err := o.value, error(nil)
				if topic == topics.Tariffs {
					value, err = wrapTariff(o.value, anyTime, nil)
				}
				if err == nil {
					_, err = check.record(topic, object{o.line, value})
				}
				if err != nil {
					bad.add(o.line, err)
				} else if topic == topics.Tariffs {
					notes = append(notes, tariffDoubts(value)...)
				}
			}
			if err := bad.err(len(objects)); err != nil {
				return err
			}
			notes = append(check.notes, notes...)
			if a.output == outputJSON {
				answer := map[string]any{"valid": len(objects)}
				if len(notes) > 0 {
					answer["notes"] = notes
				}
				return a.printJSON(answer)
			}
			text := fmt.Sprintf("all well: %s of %s\n",
				documents.Counted(len(objects), "record", "records"), topic)
			for _, note := range notes {
				text += "note: " + note + "\n"
			}
			return a.printf("%s", text)
		},
	}
}
