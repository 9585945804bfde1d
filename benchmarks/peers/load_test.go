//go:build linux

package main

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

// tiny is the burst of a few stations.
func tiny(late bool) Workload {
	return Workload{Stations: 6, Samples: 5, Every: sampleEvery, Late: late}
}

// collect is the records of a workload.
func collect(t *testing.T, w Workload, seed uint64) ([]*kgo.Record, Totals) {
	t.Helper()
	var list []*kgo.Record
	totals, err := w.Each(seed, func(r *kgo.Record) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list, totals
}

func TestSameSeedSameBytes(t *testing.T) {
	list, first := collect(t, tiny(false), 1)
	again, second := collect(t, tiny(false), 1)
	if first != second || len(list) != len(again) {
		t.Fatalf("the same seed gave %+v, then %+v", first, second)
	}
	for i, r := range list {
		if string(r.Key) != string(again[i].Key) || string(r.Value) != string(again[i].Value) ||
			string(r.Headers[0].Value) != string(again[i].Headers[0].Value) {
			t.Fatalf("record %d is %s, then %s", i, r.Value, again[i].Value)
		}
	}
	for name, other := range map[string]Workload{"seed": tiny(false), "late": tiny(true)} {
		seed := uint64(1)
		if name == "seed" {
			seed = 2
		}
		if _, totals := collect(t, other, seed); totals.SHA256 == first.SHA256 {
			t.Errorf("another %s gives the same bytes", name)
		}
	}
}

// TestLoads reads the records of both kinds of load back: they arrive in order, each station's
// events are in order, and sessions add up.
func TestLoads(t *testing.T) {
	for name, w := range map[string]Workload{"on time": tiny(false), "late": tiny(true),
		"again":   {Stations: 3, Sessions: 4, Samples: 2, Every: sampleEvery},
		"records": {Stations: 3, Sessions: 5, Records: true}} {
		t.Run(name, func(t *testing.T) {
			list, totals := collect(t, w, 1)
			if totals.Events != w.Events() ||
				totals.Sessions != int64(w.Stations*max(w.Sessions, 1)) ||
				totals.Reference != int64(w.Stations)+1 || totals.EnergyWh <= 0 ||
				int64(len(list)) != totals.Events+totals.Reference {
				t.Errorf("%d records, totals %+v", len(list), totals)
			}
			checkOrder(t, list, w.Late)
		})
	}
}

// checkOrder looks at arrival and event times.
func checkOrder(t *testing.T, list []*kgo.Record, late bool) {
	t.Helper()
	newest := map[string]chargestream.Millis{}
	var before chargestream.Millis
	for _, r := range list {
		var arrival chargestream.Millis
		if err := arrival.UnmarshalText(r.Headers[0].Value); err != nil {
			t.Fatal(err)
		}
		if arrival < before {
			t.Errorf("%s arrived before the record before it", r.Value)
		}
		before = arrival
		topic, _ := topics.Lookup(r.Topic)
		if topic.Decode == nil {
			continue
		}
		event, err := topic.Decode(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		delay := arrival - event.At()
		if delay < 0 || !late && delay != onTime {
			t.Errorf("%s arrived %d ms after it happened", r.Value, delay)
		}
		if event.At() <= newest[string(r.Key)] {
			t.Errorf("%s is not after the event before it", r.Value)
		}
		newest[string(r.Key)] = event.At()
	}
}

// TestStockGokaInAnyOrder folds the events of a station topic by topic, in each order of the
// topics: the invoice is the same, as goka runs topics in no order.
func TestStockGokaInAnyOrder(t *testing.T) {
	list, totals := collect(t, Workload{Stations: 1, Samples: 5, Every: sampleEvery}, 1)
	var first string
	for _, order := range [][]string{
		{topics.StationStatus, topics.ChargingSessions, topics.MeterValues},
		{topics.MeterValues, topics.ChargingSessions, topics.StationStatus},
		{topics.ChargingSessions, topics.StationStatus, topics.MeterValues},
	} {
		s, invoices, anomalies := &gokaStation{}, []string{}, 0
		for _, name := range order {
			topic, _ := topics.Lookup(name)
			for _, r := range list {
				if r.Topic != name {
					continue
				}
				event, err := topic.Decode(r.Value)
				if err != nil {
					t.Fatal(err)
				}
				s.fold(string(r.Key), event, func(topic, _ string, value []byte) {
					switch topic {
					case topics.Invoices:
						invoices = append(invoices, string(value))
					case topics.Anomalies:
						anomalies++
					}
				})
				if s, err = decodeGokaStation(s.append(nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if anomalies != 0 || len(invoices) != 1 || first != "" && invoices[0] != first {
			t.Fatalf("%v gives %d anomalies and the invoices %v, want %s", order, anomalies,
				invoices, first)
		}
		first = invoices[0]
		if s.events != totals.Events || s.sessions[0].samples != 5 {
			t.Errorf("%v: %+v", order, s)
		}
	}
	if _, err := decodeGokaStation([]byte{1}); err == nil {
		t.Error("a broken row was taken")
	}
}

// TestSpread checks that the stations of a load reach every partition.
func TestSpread(t *testing.T) {
	const partitions = 16
	var reached []int32
	for i := range 1000 {
		if p := engine.PartitionOf(string(stationID(i)), partitions); !slices.Contains(reached, p) {
			reached = append(reached, p)
		}
	}
	if len(reached) != partitions {
		t.Errorf("%d of %d partitions have a station", len(reached), partitions)
	}
}
