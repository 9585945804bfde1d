//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream"
	"chargestream/codecs"
	"chargestream/internal/kafkatest"
	"chargestream/topics"
)

const (
	// senderBuffer is how many records may wait to be acknowledged. It is never reached: a sender
	// that waited for the broker would not be an open load.
	senderBuffer = 10_000_000
	// senderLinger makes batches of what is due within it.
	senderLinger = time.Millisecond
	// senderEvery is how often it is looked what is due.
	senderEvery = time.Millisecond
	// senderPowerW is what each vehicle takes.
	senderPowerW = chargestream.Watts(11_000)
)

// sender sends meter values at a given rate, station after station.
type sender struct {
	addr      string
	client    *kgo.Client
	events    *tracker     // nil: nothing is tracked
	produced  atomic.Int64 // records that were handed to the client
	failed    failures
	stations  []chargestream.StationID
	at        []chargestream.Millis // the time of the newest sample of each
	next      int                   // the station that is next
	meter     chargestream.WattHours
	behindMax time.Duration
}

// newSender makes a sender for the stations of the load.
func (s *stage) newSender(events *tracker) (*sender, error) {
	client, err := newProducer(s.addr, kgo.ProducerLinger(senderLinger),
		kgo.MaxBufferedRecords(senderBuffer))
	if err != nil {
		return nil, err
	}
	n := s.load.workload.Stations
	one := &sender{addr: s.addr, client: client, events: events, at: make([]chargestream.Millis, n)}
	for i := range n {
		one.stations = append(one.stations, stationID(i))
	}
	return one, nil
}

// plugIn starts a session at each station, and returns when a view shows a sample of each.
func (s *sender) plugIn(ctx context.Context) error {
	for i, id := range s.stations {
		now := time.Now()
		start := &chargestream.SessionStart{StationID: id, ConnectorID: "1",
			SessionID: sessionOf(id), UserID: "u1", Time: chargestream.MillisOf(now)}
		if err := s.produce(ctx, topics.ChargingSessions, id, start, now); err != nil {
			return err
		}
		if err := s.sample(ctx, i, now); err != nil {
			return err
		}
	}
	if _, err := s.await(ctx, latencyLimit); err != nil {
		return err
	}
	if left := s.events.left(); left > 0 {
		return fmt.Errorf("no view shows the samples of %d stations", left)
	}
	return nil
}

func sessionOf(id chargestream.StationID) chargestream.SessionID {
	return chargestream.SessionID(id + "-latency")
}

// send sends so many samples a second for a while. A sample that is due is sent whatever became of
// those before.
func (s *sender) send(ctx context.Context, rate int, span time.Duration) error {
	began := time.Now()
	total := int64(span.Seconds() * float64(rate))
	for sent := int64(0); sent < total; {
		elapsed := time.Since(began)
		for ; sent < total; sent++ {
			due := time.Duration(sent) * time.Second / time.Duration(rate)
			if due > elapsed {
				break
			}
			s.behindMax = max(s.behindMax, elapsed-due)
			if err := s.sample(ctx, s.next, began.Add(due)); err != nil {
				return err
			}
			s.next = (s.next + 1) % len(s.stations)
		}
		if err := errors.Join(s.failed.err(), s.events.err()); err != nil {
			return err
		}
		if err := kafkatest.Pause(ctx, senderEvery); err != nil {
			return err
		}
	}
	return nil
}

// sample sends a sample that is due at a moment, which is its event time and its arrival time. Two
// samples of a station have different times.
func (s *sender) sample(ctx context.Context, station int, due time.Time) error {
	id := s.stations[station]
	at := max(chargestream.MillisOf(due), s.at[station]+1)
	s.at[station] = at
	s.meter++
	meter, power := s.meter, senderPowerW
	s.events.sent(string(id), at, due)
	return s.produce(ctx, topics.MeterValues, id, &chargestream.MeterValue{StationID: id,
		ConnectorID: "1", SessionID: sessionOf(id), Time: at, Energy: &meter, Power: &power}, due)
}

func (s *sender) produce(ctx context.Context, topic string, id chargestream.StationID,
	event chargestream.Event, due time.Time) error {
	value, err := codecs.EncodeEvent(event)
	if err != nil {
		return fmt.Errorf("encode an event of %s: %w", id, err)
	}
	s.produced.Add(1)
	// What was handed over counts as sent, whatever ends the sending.
	s.client.Produce(context.WithoutCancel(ctx), &kgo.Record{Topic: topic, Key: []byte(id),
		Value: value, Timestamp: due}, s.failed.note)
	return nil
}

// drain waits until a view shows everything that was sent, and gives up what is not shown in time.
// It returns how many events of those that are counted that were.
func (s *sender) drain(ctx context.Context) (int64, error) {
	limit, err := s.await(ctx, latencyDrain)
	if err != nil {
		return 0, err
	}
	return s.events.giveUp(limit), errors.Join(s.failed.err(), s.events.err())
}

// await waits for at most so long until a view shows everything, and returns when that was.
func (s *sender) await(ctx context.Context, atMost time.Duration) (time.Time, error) {
	until := time.Now().Add(atMost)
	for {
		now := time.Now()
		if s.events.left() == 0 || now.After(until) || s.failed.err() != nil {
			return now, nil
		}
		if err := kafkatest.Pause(ctx, latencyLook); err != nil {
			return now, err
		}
	}
}
