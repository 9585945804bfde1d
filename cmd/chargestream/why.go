package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/processors"
	"chargestream/tables"
	"chargestream/topics"
	"chargestream/why"
)

func (a *app) whyCommand() *cobra.Command {
	var station, url string
	cmd := &cobra.Command{
		Use:   "why SESSION|STATION",
		Short: "Say why a session is billed as it is, or not at all",
		Long: "Say of a session what was received, which dead letters name it, what is missing, " +
			"when its bill is due, which tariff bills it and why, and what holds it; of a " +
			"station what was received, its dead letters, its tariff, and which bills are held. " +
			"An id that is both is taken as a session; --station chooses among stations that " +
			"use the same session id, and alone it asks about the station. With --url a running " +
			"serve is asked, which answers at once; without it the tables are read, those of a " +
			"session that --station does not place as a whole.",
		Example: `chargestream why s-1 --brokers localhost:9092
chargestream why s-1 --url http://127.0.0.1:8080
chargestream why s-1 --station FR*LYO*E0001 --brokers localhost:9092
chargestream why --station FR*LYO*E0001 --brokers localhost:9092 -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if station != "" && len(args) == 0 {
				return nil
			}
			return oneArg("the id of a session or of a station")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			session := ""
			if len(args) == 1 {
				session = args[0]
			}
			if url != "" {
				return a.whyByURL(cmd.Context(), url, session, chargestream.StationID(station))
			}
			return a.why(cmd.Context(), session, chargestream.StationID(station))
		},
	}
	a.kafkaFlags(cmd)
	cmd.Flags().StringVar(&station, "station", "", "the session of this station `id`; without "+
		"a session, the station itself")
	cmd.Flags().StringVar(&url, "url", "", "the `address` of a running serve or demo that is "+
		"asked instead of Kafka, such as http://127.0.0.1:8080")
	return cmd
}

// whyTopics are those that the answer is made of.
func whyTopics() []string {
	return []string{topics.Table(topics.TableSessions), topics.Table(topics.TableStations),
		topics.Table(topics.TableRegistry), topics.Table(topics.TableTariffs), topics.Invoices,
		topics.DeadLetters}
}

// whyReader reads what the answer about an id is made of.
type whyReader struct {
	a       *app
	client  *kgo.Client
	id      string
	station chargestream.StationID // that was asked for; empty for any

	sessions map[chargestream.StationID]*tables.Session // of the id, by station
	letters  []chargestream.DeadLetter
	bills    []chargestream.Invoice
	tariffs  map[string][]byte
	now      chargestream.Millis
}

func (a *app) why(ctx context.Context, id string, station chargestream.StationID) error {
	client, err := a.readingClient(ctx, whyTopics()...)
	if err != nil {
		return err
	}
	defer client.Close()
	r := &whyReader{a: a, client: client, id: id, station: station,
		sessions: map[chargestream.StationID]*tables.Session{},
		now:      chargestream.MillisOf(time.Now())}
	if err := r.read(ctx); err != nil {
		return err
	}
	return r.answer(ctx)
}

// answer takes the id as a session of which there is a row or a document, else as a station, else
// as a session that only dead letters name.
func (r *whyReader) answer(ctx context.Context) error {
	var session *chargestream.SessionWhy
	var err error
	if r.id != "" {
		if session, err = r.session(ctx); err != nil {
			return err
		}
	}
	if session != nil && (r.station != "" || len(session.Received) > 0 || session.Documents > 0) {
		return r.a.printSessionWhy(session)
	}
	if r.id == "" || r.station == "" {
		about, err := r.about(ctx, cmp.Or(r.station, chargestream.StationID(r.id)))
		if err != nil {
			return err
		}
		if about != nil {
			return r.a.printStationWhy(about)
		}
	}
	if session != nil {
		return r.a.printSessionWhy(session)
	}
	return notKnown(r.id, r.station)
}

// notKnown says that nothing came of an id, and where to look.
func notKnown(id string, station chargestream.StationID) error {
	hint := "is the id right? ids are compared as they are; \"chargestream dead-letters list\" " +
		"shows records that could not be read at all, and what was just sent shows once " +
		"\"chargestream run\" has folded it"
	what := fmt.Sprintf("nothing was received of a session or station %q, not even a dead letter",
		id)
	switch {
	case id == "":
		what = fmt.Sprintf("nothing was received of a station %q, not even a dead letter", station)
	case station != "":
		what = fmt.Sprintf("nothing was received of a session %q at the station %q, not even a "+
			"dead letter", id, station)
	}
	return &exitError{code: exitNotFound, what: what, hint: hint}
}

// read reads what is not in one place: the rows of the session, in the partition of the station
// where it is named, its documents, all tariffs, and the dead letters.
func (r *whyReader) read(ctx context.Context) error {
	if err := r.readSessions(ctx); err != nil {
		return err
	}
	ids := []string{r.id, string(r.station)}
	h, err := r.a.readInvoicesNaming(ctx, ids, func(v *chargestream.Invoice) bool {
		return string(v.SessionID) == r.id || string(v.StationID) == r.id ||
			v.StationID == r.station
	})
	if err != nil {
		return err
	}
	r.a.warn(h)
	r.bills = h.documents
	r.tariffs, err = r.a.newestRows(ctx, r.client, topics.TableTariffs, "", allKeys)
	if err != nil {
		return err
	}
	_, err = r.a.eachLetter(ctx, r.client, nil, func(record *kgo.Record) error {
		r.letters = append(r.letters, deadLetterOf(record))
		return nil
	})
	return err
}

// readSessions reads the rows of the id as a session.
func (r *whyReader) readSessions(ctx context.Context) error {
	if r.id == "" {
		return nil
	}
	return r.a.eachOf(ctx, r.client, topics.Table(topics.TableSessions), string(r.station),
		func(record *kgo.Record) error {
			if !bytes.HasSuffix(record.Key, []byte("/"+r.id)) ||
				engine.Reserved(string(record.Key)) {
				return nil
			}
			station, id, ok := processors.ParseSessionKey(string(record.Key))
			if !ok || string(id) != r.id {
				return nil
			}
			delete(r.sessions, station)
			if len(record.Value) == 0 {
				return nil
			}
			row, err := tables.DecodeSession(record.Value)
			if err != nil {
				return fmt.Errorf("session %q of %q: %w", id, station, err)
			}
			r.sessions[station] = row
			return nil
		})
}

// newest is the newest row of a key, in a table whose keys are stations; empty for none.
func (r *whyReader) newest(ctx context.Context, table string, id chargestream.StationID) ([]byte,
	error) {
	rows, err := r.a.newestRows(ctx, r.client, table, string(id), func(key string) bool {
		return key == string(id)
	})
	return rows[string(id)], err
}

// tariff is a why.Book.
func (r *whyReader) tariff(id chargestream.TariffID) (*tables.Tariff, error) {
	row := r.tariffs[processors.TariffKey(id)]
	if len(row) == 0 {
		return nil, nil
	}
	return tables.DecodeTariff(row)
}

func (r *whyReader) registry(ctx context.Context, id chargestream.StationID) (*tables.Registry,
	error) {
	row, err := r.newest(ctx, topics.TableRegistry, id)
	if err != nil || len(row) == 0 {
		return nil, err
	}
	return tables.DecodeRegistry(row)
}

// session is the answer about the session of the id; nil where nothing came of one.
func (r *whyReader) session(ctx context.Context) (*chargestream.SessionWhy, error) {
	f := &why.SessionFacts{ID: chargestream.SessionID(r.id), Book: r.tariff, Now: r.now,
		Station: r.station}
	var others []chargestream.StationID
	note := func(station chargestream.StationID) {
		if !slices.Contains(others, station) {
			others = append(others, station)
		}
	}
	for station, row := range r.sessions {
		note(station)
		if r.station == "" && (f.Row == nil || row.Low > f.Row.Low ||
			row.Low == f.Row.Low && station < f.Station) {
			f.Station, f.Row = station, row
		}
		if station == r.station {
			f.Row = row
		}
	}
	for i := range r.bills {
		v := &r.bills[i]
		if string(v.SessionID) != r.id {
			continue
		}
		note(v.StationID)
		if f.Station == "" {
			f.Station = v.StationID
		}
		if v.StationID == f.Station {
			f.Documents = append(f.Documents, *v)
		}
	}
	f.Letters = why.ChooseLetters(r.letters, f.Station, f.ID)
	if !f.Known() {
		return nil, nil
	}
	var err error
	if f.Registry, err = r.registry(ctx, f.Station); err != nil {
		return nil, err
	}
	w, err := why.Session(f)
	others = slices.DeleteFunc(others, func(s chargestream.StationID) bool {
		return s == f.Station
	})
	slices.Sort(others)
	w.AlsoAtStations = others
	return &w, err
}

// about is the answer about a station; nil where nothing came of it.
func (r *whyReader) about(ctx context.Context, id chargestream.StationID) (
	*chargestream.StationWhy, error) {
	f := &why.StationFacts{ID: id, Book: r.tariff, Now: r.now,
		Letters: why.ChooseLetters(r.letters, id, "")}
	for i := range r.bills {
		if r.bills[i].StationID == id {
			f.Documents = append(f.Documents, r.bills[i])
		}
	}
	row, err := r.newest(ctx, topics.TableStations, id)
	if err != nil {
		return nil, err
	}
	if len(row) > 0 {
		if f.Row, err = tables.DecodeStation(id, row); err != nil {
			return nil, err
		}
	}
	if f.Registry, err = r.registry(ctx, id); err != nil {
		return nil, err
	}
	if !f.Known() {
		return nil, nil
	}
	w, err := why.Station(f)
	return &w, err
}

// deadLetterOf is a dead letter as the answers show it.
func deadLetterOf(r *kgo.Record) chargestream.DeadLetter {
	return chargestream.DeadLetter{SourceTopic: headerOf(r, topics.HeaderSourceTopic),
		SourcePartition: headerOf(r, topics.HeaderSourcePartition),
		SourceOffset:    headerOf(r, topics.HeaderSourceOffset),
		Time:            chargestream.MillisOf(r.Timestamp), Key: harmless(string(r.Key)),
		Reason: headerOf(r, topics.HeaderReason), Error: headerOf(r, topics.HeaderError),
		Value: harmless(string(r.Value))}
}
