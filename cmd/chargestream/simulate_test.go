package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/engine"
	"chargestream/internal/kafkatest"
	"chargestream/internal/sim"
	"chargestream/topics"
)

// simulated reads what simulate printed.
func simulated(t *testing.T, text string) simulateAnswer {
	t.Helper()
	var answer simulateAnswer
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer
}

func TestSimulate(t *testing.T) {
	const events, partitions = 3000, 4
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers, "--partitions=4").want(t, exitOK, "", "")
	got := run(t, nil, "simulate", brokers, "--seed=7", "--events=3000", "--faults=default",
		"--depot-connectors=10", "--city-stations=6", "--start=2026-06-01T04:00:00Z")
	got.want(t, exitOK, "", "")
	answer := simulated(t, got.stdout)

	start := chargestream.Millis(0)
	if err := start.UnmarshalText([]byte("2026-06-01T04:00:00Z")); err != nil {
		t.Fatal(err)
	}
	journal := sim.Journal(sim.Config{Seed: 7, Start: start, DepotConnectors: 10,
		CityStations: 6, Faults: sim.DefaultFaults()}, events)
	want := simulateAnswer{Seed: 7, Stations: 5 + 6, Tariffs: 3, Events: events,
		Produced:     map[string]int{topics.Stations: 5 + 6, topics.Tariffs: 3},
		FirstArrival: journal[0].Arrival, LastArrival: journal[events-1].Arrival,
		Seconds: answer.Seconds}
	texts := map[string][]string{}
	for _, r := range journal {
		want.Produced[r.Topic]++
		value, err := codecs.EncodeEvent(r.Event)
		if err != nil {
			t.Fatal(err)
		}
		texts[r.Topic] = append(texts[r.Topic], string(r.Event.Station())+" "+
			r.Arrival.String()+" "+string(value))
	}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	for _, topic := range topics.Reported() {
		checkInput(t, consume(t, b.Addrs(), topic), texts[topic], partitions)
	}
	for _, topic := range []string{topics.Stations, topics.Tariffs} {
		for _, r := range consume(t, b.Addrs(), topic) {
			if got := headerOf(r, topics.HeaderArrival); got != start.String() {
				t.Errorf("%s %s arrived at %q, want the begin of the world", topic, r.Key, got)
			}
		}
	}
}

// checkInput holds the records of a topic against those that were said: the same, each in the
// partition of its key, and those of a partition in the order in which they arrived.
func checkInput(t *testing.T, records []*kgo.Record, want []string, partitions int32) {
	t.Helper()
	if diff := cmp.Diff(sorted(want), sorted(texts(records))); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if len(records) == 0 {
		t.Fatal("the world said nothing on a topic")
	}
	last := map[int32]chargestream.Millis{}
	for _, r := range records {
		topic, ok := topics.Lookup(r.Topic)
		if !ok {
			t.Fatalf("no topic %s", r.Topic)
		}
		event, err := topic.Decode(r.Value)
		if err != nil || string(event.Station()) != string(r.Key) {
			t.Fatalf("%s %s: %v", r.Key, r.Value, err)
		}
		if home := engine.PartitionOf(string(r.Key), partitions); r.Partition != home {
			t.Fatalf("key %s lies in partition %d, not in %d", r.Key, r.Partition, home)
		}
		var arrival chargestream.Millis
		if err := arrival.UnmarshalText([]byte(headerOf(r, topics.HeaderArrival))); err != nil {
			t.Fatal(err)
		}
		if arrival < last[r.Partition] {
			t.Fatalf("%s/%d: %s after %s", r.Topic, r.Partition, arrival, last[r.Partition])
		}
		last[r.Partition] = arrival
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// interruptSimulate runs simulate until its first event is there, interrupts it, and returns what
// it did and how long it took.
func interruptSimulate(t *testing.T, flags ...string) (kafkatest.Broker, result, time.Duration) {
	t.Helper()
	b, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs()...),
		kgo.ConsumeTopics(topics.Reported()...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr bytes.Buffer
	ended := make(chan int, 1)
	began := time.Now()
	go func() {
		args := append([]string{"simulate", brokers}, flags...)
		ended <- Run(ctx, args, &stdout, &stderr, func(string) (string, bool) { return "", false })
	}()
	if err := client.PollFetches(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	interrupt()
	code := <-ended
	return b, result{code, stdout.String(), stderr.String()}, time.Since(began)
}

// TestSimulateRealtime lets a fast world live from now on until it is interrupted: no event is
// sent before its time, and the answer counts what was sent.
func TestSimulateRealtime(t *testing.T) {
	const speed = 1000
	began := time.Now()
	b, got, took := interruptSimulate(t, "--speed=1000")
	got.want(t, exitOK, "", "")
	answer := simulated(t, got.stdout)
	if answer.FirstArrival < chargestream.MillisOf(began) {
		t.Errorf("first arrival %s is before the begin, %s", answer.FirstArrival, began)
	}
	// A record is sent at most pauseMin before it is due.
	span := chargestream.Millis(speed * (took + pauseMin).Milliseconds())
	if limit := chargestream.MillisOf(time.Now()) + span; answer.LastArrival > limit {
		t.Errorf("last arrival %s is after %s", answer.LastArrival, limit)
	}
	produced, held := 0, 0
	for _, topic := range topics.Reported() {
		produced += answer.Produced[topic]
		held += len(consume(t, b.Addrs(), topic))
	}
	if produced == 0 || produced != answer.Events || produced != held {
		t.Errorf("%d events, %d acknowledged, %d held", answer.Events, produced, held)
	}
}

func TestSimulateRate(t *testing.T) {
	_, brokers := broker(t)
	run(t, nil, "topics", "apply", brokers).want(t, exitOK, "", "")
	got := run(t, nil, "simulate", brokers, "--events=201", "--rate=2000")
	got.want(t, exitOK, "", "")
	answer := simulated(t, got.stdout)
	if answer.Seconds < (100*time.Millisecond - pauseMin).Seconds() {
		t.Errorf("201 events at 2000/s took %v s", answer.Seconds)
	}
	if answer.FirstArrival < sim.DefaultStart ||
		answer.FirstArrival > sim.DefaultStart+chargestream.Minute {
		t.Errorf("first arrival %s, the world begins at %s", answer.FirstArrival, sim.DefaultStart)
	}
}

func TestSimulateRefuses(t *testing.T) {
	_, brokers := broker(t)
	for _, tc := range []struct {
		flags  []string
		code   int
		stderr string
	}{
		{[]string{"--events=-1"}, exitUsage, "--events -1 is negative"},
		{[]string{"--rate=NaN"}, exitUsage, "--rate NaN is not between"},
		{[]string{"--speed=0"}, exitUsage, "--speed 0 is not above 0"},
		{[]string{"--speed=2", "--rate=5"}, exitUsage, "--speed is for --realtime only"},
		{[]string{"--realtime", "--rate=5"}, exitUsage, "two ways to pace"},
		{[]string{"--depot-connectors=0", "--city-stations=0"}, exitUsage, "says nothing"},
		{[]string{"--city-stations=-1"}, exitUsage, "is not between 0 and"},
		{[]string{"--faults=some"}, exitUsage, "neither none nor default"},
		{[]string{"--start=yesterday"}, exitUsage, "in RFC 3339"},
		{[]string{"now"}, exitUsage, "takes no argument"},
		{nil, exitNotFound, "the cluster has no topic"},
	} {
		args := append([]string{"simulate", brokers}, tc.flags...)
		run(t, nil, args...).want(t, tc.code, "", tc.stderr)
	}
}

// TestSimulateInterrupted breaks off a world that should have said more.
func TestSimulateInterrupted(t *testing.T) {
	_, got, _ := interruptSimulate(t, "--events=100", "--rate=0.01")
	got.want(t, exitInterrupted, "", "interrupted")
}
