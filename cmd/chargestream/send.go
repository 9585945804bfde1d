package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/documents"
	"chargestream/tables"
	"chargestream/topics"
)

// sendFlags are those of all commands that write records.
type sendFlags struct {
	topic, arrival string
	dryRun         bool
}

// sendAnswer is what such a command prints.
type sendAnswer struct {
	DryRun  bool           `json:"dry_run,omitempty"`
	Written map[string]int `json:"written"` // by topic; in a dry run what would be
	Keys    []string       `json:"keys"`    // the first keysShown
	Notes   []string       `json:"notes,omitempty"`
}

// keysShown bounds the keys of an answer.
const keysShown = 10

func (a *app) sendCommand() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send FILE|JSON|-",
		Short: "Send events or reference data, checked by the readers of the processors",
		Long: "Send one record or many: JSON on the command line, a file with an object, a list " +
			"or an object a line, or - for standard input. Each is read at once as the " +
			"processors will read it, and if one would become a dead letter nothing is sent. " +
			"The key, and so the partition, is made of its station_id or tariff_id. Without " +
			"--topic the fields say which topic it is for.",
		Example: `chargestream send events.jsonl --brokers localhost:9092
chargestream send --topic heartbeats {"station_id":"A","timestamp":"2026-03-02T12:00:00Z"} --dry-run
chargestream send old.json --arrival 2026-03-02T12:00:00Z --brokers localhost:9092`,
		Args: oneArg("a file, JSON, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			objects, err := readObjects(args[0])
			if err != nil {
				return err
			}
			return a.send(cmd.Context(), objects, &f, nil)
		},
	}
	a.kafkaFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.topic, "topic", "", "the `topic`: "+strings.Join(sendTopics(), ", ")+
		"; without it the fields say")
	flags.StringVar(&f.arrival, "arrival", "", "the `time` at which the records arrived, for "+
		"what happened long ago; else now")
	flags.BoolVar(&f.dryRun, "dry-run", false,
		"check, and print what would be sent; needs no broker")
	return cmd
}

// sendTopics are the topics that operators and stations write.
func sendTopics() []string {
	var names []string
	for _, t := range topics.All() {
		if t.Kind == topics.KindInput || t.Kind == topics.KindReference {
			names = append(names, t.Name)
		}
	}
	return names
}

// send checks all objects and then writes all of them.
func (a *app) send(ctx context.Context, objects []object, f *sendFlags, notes []string) error {
	if f.topic != "" && !slices.Contains(sendTopics(), f.topic) {
		return usageError(fmt.Sprintf("--topic %q is no topic that is sent to", f.topic),
			"they are "+strings.Join(sendTopics(), ", "))
	}
	arrival := chargestream.MillisOf(time.Now())
	if f.arrival != "" {
		if err := arrival.UnmarshalText([]byte(f.arrival)); err != nil || arrival == 0 {
			return usageError(fmt.Sprintf("--arrival %q is no time", f.arrival),
				"write 2026-03-02T12:00:00Z")
		}
		if arrival > chargestream.MillisOf(time.Now()) {
			return usageError(fmt.Sprintf("--arrival %s lies in the future", f.arrival),
				"what arrives until then would be late; write a time up to now")
		}
	}
	var records []*kgo.Record
	var bad refusals
	check := &checker{arrival: arrival}
	if len(a.brokers) > 0 {
		check.zones = a.stationZones(ctx)
	}
	for _, o := range objects {
		topic := f.topic
		if topic == "" {
			topic = topicOf(o.value)
		}
		if topic == "" {
			bad.add(o.line, fmt.Errorf("its fields do not say which topic it is for; set --topic"))
			continue
		}
		record, err := check.record(topic, o)
		var failed *exitError
		if errors.As(err, &failed) {
			return failed
		}
		if err != nil {
			bad.add(o.line, fmt.Errorf("%s: %w", topic, err))
			continue
		}
		if f.arrival != "" {
			record.Headers = []kgo.RecordHeader{{Key: topics.HeaderArrival,
				Value: []byte(arrival.String())}}
		}
		records = append(records, record)
	}
	if err := bad.err(len(objects)); err != nil {
		return err
	}
	return a.write(ctx, records, f.dryRun, append(check.notes, notes...))
}

// stationZones looks up the time zone of a station in the registry, by which the processors read
// times without one. The registry is read when the first one is asked for.
func (a *app) stationZones(ctx context.Context) func(chargestream.StationID) (*time.Location,
	error) {
	var rows map[string][]byte
	return func(id chargestream.StationID) (*time.Location, error) {
		if rows == nil {
			client, err := a.readingClient(ctx, topics.Table(topics.TableRegistry))
			if err != nil {
				return nil, err
			}
			defer client.Close()
			rows, err = a.newestRows(ctx, client, topics.TableRegistry, "", allKeys)
			if err != nil {
				return nil, err
			}
		}
		if len(rows[string(id)]) == 0 {
			return nil, nil
		}
		info, err := tables.RegistryNow(rows[string(id)])
		if err != nil || info == nil {
			return nil, err
		}
		return rowBook{}.Location(info.TimeZone), nil
	}
}

// write writes records that were checked, and says so.
func (a *app) write(ctx context.Context, records []*kgo.Record, dryRun bool,
	notes []string) error {
	answer := sendAnswer{DryRun: dryRun, Written: map[string]int{}, Keys: []string{}, Notes: notes}
	for _, r := range records {
		answer.Written[r.Topic]++
		if key := string(r.Key); len(answer.Keys) < keysShown &&
			!slices.Contains(answer.Keys, key) {
			answer.Keys = append(answer.Keys, key)
		}
	}
	if !dryRun {
		client, err := a.kafkaClient(ctx)
		if err != nil {
			return err
		}
		defer client.Close()
		var names []string
		for topic := range answer.Written {
			names = append(names, topic)
		}
		if err := a.needTopics(ctx, client, names...); err != nil {
			return err
		}
		p := newProducer(ctx, client, a.newProgress("sent", len(records)))
		for _, r := range records {
			p.send(r)
		}
		err = p.flush()
		p.close()
		if err != nil {
			return a.kafkaError("send; some of it may have been written, and sending all of it "+
				"again does no harm", err)
		}
	}
	return a.printSent(&answer)
}

func (a *app) printSent(answer *sendAnswer) error {
	if a.output == outputJSON {
		return a.printJSON(answer)
	}
	verb := "wrote"
	if answer.DryRun {
		verb = "would write"
	}
	for _, name := range sendTopics() {
		if n := answer.Written[name]; n > 0 {
			counted := documents.Counted(n, "record", "records")
			if err := a.printf("%s %s to %s\n", verb, counted, name); err != nil {
				return err
			}
		}
	}
	if err := a.printf("keys: %s\n", harmless(strings.Join(answer.Keys, ", "))); err != nil {
		return err
	}
	return a.printNotes(answer.Notes)
}

// topicOf is the topic whose records have such fields; empty where it cannot be told.
func topicOf(value []byte) string {
	for _, t := range []struct {
		topic  string
		fields []string // one of which its records have, and none of those further down
	}{
		{topics.BillingDecisions, []string{"decision_id", "action"}},
		{topics.ChargingSessions, []string{"event", "start_time", "end_time"}},
		{topics.Tariffs, []string{"versions", "elements"}},
		{topics.StationStatus, []string{"status"}},
		{topics.MeterValues, []string{"energy_wh", "power_w", "current_a", "voltage_v",
			"soc_percent", "signed_data"}},
	} {
		if len(codecs.Named(value, t.fields...)) > 0 {
			return t.topic
		}
	}
	has := codecs.Named(value, "timestamp", "connector_id", "session_id", "station_id", "evses")
	switch {
	case has["timestamp"] && (has["connector_id"] || has["session_id"]):
		return topics.MeterValues
	case has["timestamp"]:
		return topics.Heartbeats
	case has["evses"], has["station_id"] && len(codecs.Named(value, "tariff_id", "connectors",
		"site_id", "time_zone", "name", "lat", "lon", "region", "max_power_w", "calibrated")) > 0:
		return topics.Stations
	}
	return ""
}
