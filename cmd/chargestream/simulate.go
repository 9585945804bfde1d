package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/ingest"
	"chargestream/internal/sim"
	"chargestream/topics"
)

// Bounds of a simulation.
const (
	// simulatedMax bounds the records that wait to be acknowledged: more than bufferedMax, as
	// nothing else keeps this client from being as fast as the broker.
	simulatedMax = 20_000
	// worldMax bounds the connectors of the depot, and the stations of the city.
	worldMax = 100_000
	// rateMax and speedMax bound what can be paced at all.
	rateMax  = 10_000_000
	speedMax = 100_000
	// pauseMin is the shortest pause that is made: shorter ones are not kept by the scheduler.
	pauseMin = 2 * time.Millisecond
)

// The words of --faults.
const (
	faultsNone    = "none"
	faultsDefault = "default"
)

// simulateFlags are the flags of simulate.
type simulateFlags struct {
	seed     uint64
	events   int
	rate     float64
	rated    bool // --rate was set
	realtime bool
	speed    float64
	depot    int
	city     int
	faults   string
	start    string
}

// simulateAnswer is what simulate prints.
type simulateAnswer struct {
	Seed         uint64              `json:"seed"`
	Stations     int                 `json:"stations"`
	Tariffs      int                 `json:"tariffs"`
	Events       int                 `json:"events"`   // handed to the client
	Produced     map[string]int      `json:"produced"` // acknowledged, by topic
	FirstArrival chargestream.Millis `json:"first_arrival,omitzero"`
	LastArrival  chargestream.Millis `json:"last_arrival,omitzero"`
	Seconds      float64             `json:"seconds"` // that sending the events took
}

func (a *app) simulateCommand() *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Produce what a simulated depot and city would say",
		Long: "Produce what the stations of a simulated depot and city would say: registry and " +
			"tariffs first, then events in the order in which they arrive, each with its " +
			"arrival time. The same seed and the same flags give the same events.\n\n" +
			"Without --events and --rate the world is endless and lives in real time, from now " +
			"on. With either of them it begins at --start, and arrival times are those of the " +
			"world, however fast its records are sent.",
		Example: `chargestream simulate --brokers localhost:9092
chargestream simulate --brokers localhost:9092 --events 1000000 --faults default
chargestream simulate --brokers localhost:9092 --rate 5000 --start 2026-06-01T04:00:00Z
chargestream simulate --brokers localhost:9092 --realtime --speed 60 --events 100000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.rated = cmd.Flags().Changed("rate")
			return a.simulate(cmd.Context(), &f)
		},
	}
	a.kafkaFlags(cmd)
	flags := cmd.Flags()
	flags.Uint64Var(&f.seed, "seed", 0, "the world's `seed`")
	flags.IntVar(&f.events, "events", 0, "end after this `number` of events; 0 is endless")
	flags.Float64Var(&f.rate, "rate", 0, "`events` a second; 0 is as fast as the broker takes them")
	flags.BoolVar(&f.realtime, "realtime", false,
		"send each event at its arrival time; the world begins now, unless --start is given")
	flags.Float64Var(&f.speed, "speed", 1, "in real time: how many `times` as fast the world "+
		"lives; above 1 its arrival times run ahead of the clock")
	flags.IntVar(&f.depot, "depot-connectors", sim.DefaultDepotConnectors,
		"`number` of connectors of the depot")
	flags.IntVar(&f.city, "city-stations", sim.DefaultCityStations,
		"`number` of stations of the city")
	flags.StringVar(&f.faults, "faults", faultsNone, "`what` goes wrong: none, or default for "+
		"duplicates, late records, missing ends, registers that run backwards and overlaps")
	flags.StringVar(&f.start, "start", "", "the world's first `time`, RFC 3339; if left out "+
		sim.DefaultStart.String()+", in real time now")
	return cmd
}

// check refuses flags that contradict each other, and settles what they leave open.
func (f *simulateFlags) check() error {
	switch {
	case f.events < 0:
		return usageError(fmt.Sprintf("--events %d is negative", f.events), "")
	case !(f.rate >= 0 && f.rate <= rateMax):
		return usageError(fmt.Sprintf("--rate %v is not between 0 and %d", f.rate, rateMax), "")
	case !(f.speed > 0 && f.speed <= speedMax):
		return usageError(fmt.Sprintf("--speed %v is not above 0 and up to %d", f.speed,
			speedMax), "")
	case f.depot < 0 || f.depot > worldMax || f.city < 0 || f.city > worldMax:
		return usageError(fmt.Sprintf("--depot-connectors %d or --city-stations %d is not "+
			"between 0 and %d", f.depot, f.city, worldMax), "")
	case f.depot+f.city == 0:
		return usageError("a world without stations says nothing",
			"set --depot-connectors or --city-stations")
	case f.faults != faultsNone && f.faults != faultsDefault:
		return usageError(fmt.Sprintf("--faults %q is neither none nor default", f.faults), "")
	case f.realtime && f.rate > 0:
		return usageError("--realtime and --rate are two ways to pace", "give one of them")
	}
	f.realtime = f.realtime || f.events == 0 && !f.rated
	if f.speed != 1 && !f.realtime {
		return usageError("--speed is for --realtime only", "")
	}
	return nil
}

// world is the world that the flags describe; now is where it begins in real time.
func (f *simulateFlags) world(now chargestream.Millis) (*sim.World, error) {
	cfg := sim.Config{Seed: f.seed, DepotConnectors: f.depot, CityStations: f.city}
	if cfg.DepotConnectors == 0 {
		cfg.DepotConnectors = -1 // zero is the default there
	}
	if cfg.CityStations == 0 {
		cfg.CityStations = -1
	}
	if f.faults == faultsDefault {
		cfg.Faults = sim.DefaultFaults()
	}
	if f.realtime {
		cfg.Start = now
	}
	if f.start != "" {
		if err := cfg.Start.UnmarshalText([]byte(f.start)); err != nil || cfg.Start <= 0 {
			return nil, usageError(fmt.Sprintf("--start %q is no time after 1970 in RFC 3339",
				f.start), "write it as in 2026-06-01T04:00:00Z")
		}
	}
	return sim.New(cfg), nil
}

func (a *app) simulate(ctx context.Context, f *simulateFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	world, err := f.world(chargestream.MillisOf(time.Now()))
	if err != nil {
		return err
	}
	client, err := a.kafkaClient(ctx, kgo.MaxBufferedRecords(simulatedMax))
	if err != nil {
		return err
	}
	defer client.Close()
	err = a.needTopics(ctx, client, append(topics.Reported(), topics.Stations,
		topics.Tariffs)...)
	if err != nil {
		return err
	}
	var shown *progress
	if f.events > 0 {
		shown = a.newProgress("produced", f.events)
	}
	// A signal ends the world, not what it has already said: that is flushed.
	p := newProducer(context.WithoutCancel(ctx), client, shown)
	answer := simulateAnswer{Seed: f.seed, Stations: len(world.Stations()),
		Tariffs: len(world.Tariffs())}
	err = sendReference(p, world, world.Now())
	if err == nil {
		err = f.sendEvents(ctx, p, world, &answer)
	}
	answer.Produced = p.close()
	if err != nil {
		return a.kafkaError("produce", err)
	}
	if ctx.Err() != nil && f.events > 0 {
		return ctx.Err()
	}
	return a.printJSON(answer)
}

// sendReference sends registry and tariffs, as they arrived at the begin of the world, and waits
// for them, so that no event is before its station.
func sendReference(p *producer, world *sim.World, arrival chargestream.Millis) error {
	reference := func(topic, key string, value any) error {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode %s %q: %w", topic, key, err)
		}
		p.send(kafkaRecord(ingest.Record{Topic: topic, Key: key, Value: text, Arrival: arrival}))
		return nil
	}
	for _, info := range world.Stations() {
		if err := reference(topics.Stations, string(info.StationID), info); err != nil {
			return err
		}
	}
	for _, tariff := range world.Tariffs() {
		if err := reference(topics.Tariffs, string(tariff.TariffID), tariff); err != nil {
			return err
		}
	}
	return p.flush()
}

// sendEvents lets the world live until it has said enough, or ctx ends.
func (f *simulateFlags) sendEvents(ctx context.Context, p *producer, world *sim.World,
	answer *simulateAnswer) error {
	began, start := time.Now(), world.Now()
	for (f.events == 0 || answer.Events < f.events) && ctx.Err() == nil && p.ctx.Err() == nil {
		next := world.Next()
		if !pause(ctx, began.Add(f.after(answer.Events, next.Arrival-start))) {
			break
		}
		record, err := worldRecord(next.Topic, next.Event, next.Arrival)
		if err != nil {
			return err
		}
		p.send(record)
		if answer.Events++; answer.Events == 1 {
			answer.FirstArrival = next.Arrival
		}
		answer.LastArrival = next.Arrival
	}
	err := p.flush()
	answer.Seconds = time.Since(began).Seconds()
	return err
}

// after is how long after the first event the one is due that follows sent events, at the
// virtual time age of the world.
func (f *simulateFlags) after(sent int, age chargestream.Millis) time.Duration {
	switch {
	case f.realtime:
		return time.Duration(float64(age) / f.speed * float64(time.Millisecond))
	case f.rate > 0:
		return time.Duration(float64(sent) / f.rate * float64(time.Second))
	}
	return 0
}

// pause waits until a moment; false when ctx ended before.
func pause(ctx context.Context, until time.Time) bool {
	left := time.Until(until)
	if left < pauseMin {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// worldRecord is an event of a world as it lies in its topic.
func worldRecord(topic string, event chargestream.Event, arrival chargestream.Millis) (
	*kgo.Record, error) {
	value, err := codecs.EncodeEvent(event)
	if err != nil {
		return nil, fmt.Errorf("encode %s of %q: %w", topic, event.Station(), err)
	}
	return &kgo.Record{Topic: topic, Key: []byte(event.Station()), Value: value,
		Headers: []kgo.RecordHeader{{Key: topics.HeaderArrival,
			Value: []byte(arrival.String())}}}, nil
}
