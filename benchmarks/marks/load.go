//go:build linux

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// loadRate is how many events a second are sent.
	loadRate = 2000
	loadTick = 5 * time.Millisecond
	// pingEvery is one ping for so many ticks.
	pingEvery = 4
	// loadBuffer holds what is sent while the broker is away.
	loadBuffer = 30 * loadRate
)

// load sends events at a steady rate until it is stopped.
type load struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	sent   int64 // events; to be read after stop
	failed atomic.Int64
}

func (k *kafka) startLoad(input, ping string, keys int) (*load, error) {
	client, err := k.producer(append(hasty(), kgo.MaxBufferedRecords(loadBuffer))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{client: client, cancel: cancel, done: make(chan struct{})}
	go l.run(ctx, input, ping, keys)
	return l, nil
}

func (l *load) run(ctx context.Context, input, ping string, keys int) {
	defer close(l.done)
	rng := rand.New(rand.NewPCG(seed, 0))
	tick := time.NewTicker(loadTick)
	defer tick.Stop()
	began := time.Now()
	send := func(r *kgo.Record) {
		// What is sent must arrive, whatever the end of this run: its outputs are counted.
		l.client.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				l.failed.Add(1)
			}
		})
	}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int64(time.Since(began).Seconds() * loadRate); l.sent < due; l.sent++ {
			e := newEvent(rng, l.sent, keyOf(rng.IntN(keys)))
			send(&kgo.Record{Topic: input, Key: []byte(e.StationID), Value: e.append(nil)})
		}
		if n%pingEvery == 0 {
			send(&kgo.Record{Topic: ping, Value: []byte{0}})
		}
	}
}

// stop ends the load and returns when all is acknowledged.
func (l *load) stop(ctx context.Context) error {
	l.cancel()
	<-l.done
	defer l.client.Close()
	err := l.client.Flush(ctx)
	if n := l.failed.Load(); n > 0 {
		err = errors.Join(err, errors.New("events of the load were refused"))
	}
	return err
}
