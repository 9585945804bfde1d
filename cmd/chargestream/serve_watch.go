package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/internal/kafkaread"
	"chargestream/topics"
	"chargestream/views"
	"chargestream/why"
)

// How serve looks whether its broker is there: a broker that was restarted is back within
// goneAfter, and is not told of.
const (
	watchEvery = 2 * time.Second
	goneAfter  = 10 * time.Second
)

// brokerWatch is when a broker answered last.
type brokerWatch struct{ answered atomic.Int64 } // ms since the epoch

// gone says since when no broker has answered; empty where one has.
func (w *brokerWatch) gone(now time.Time) string {
	last := time.UnixMilli(w.answered.Load())
	if silent := now.Sub(last); silent > goneAfter {
		return fmt.Sprintf("no broker of Kafka has answered for %s: what is shown is as of %s",
			silent.Round(time.Second), last.UTC().Format(time.RFC3339))
	}
	return ""
}

// run asks for an answer until ctx is done.
func (w *brokerWatch) run(ctx context.Context, client *kgo.Client) {
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, goneAfter)
		if client.Ping(limited) == nil {
			w.answered.Store(time.Now().UnixMilli())
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(watchEvery):
		}
	}
}

// watchedViews are views that are not ready where their broker is gone.
type watchedViews struct {
	*views.Views
	broker *brokerWatch
}

// Ready implements web.Source.
func (v watchedViews) Ready() (bool, string) {
	if gone := v.broker.gone(time.Now()); gone != "" {
		return false, gone
	}
	return v.Views.Ready()
}

// watch follows the dead letters, and whether a broker is there, until ctx is done.
func (a *app) watch(ctx context.Context, w *brokerWatch, letters *why.Letters,
	log *slog.Logger) error {
	client, err := a.kafkaClient(ctx, kafkaread.Options()...)
	if err != nil {
		return ended(ctx, err)
	}
	defer client.Close()
	go w.run(ctx, client)
	err = a.followLetters(ctx, client, letters)
	if err != nil && ctx.Err() == nil {
		// Without them all else can be answered.
		log.Warn("dead letters are not followed any more", "error", err)
	}
	<-ctx.Done()
	return nil
}

// followLetters adds the newest dead letters, and those that come in, until ctx is done.
func (a *app) followLetters(ctx context.Context, client *kgo.Client, letters *why.Letters) error {
	from, end, err := a.reader(client).Bounds(ctx, topics.DeadLetters, nil)
	if err != nil {
		return err
	}
	begin := map[int32]kgo.Offset{}
	for partition, last := range end {
		begin[partition] = kgo.NewOffset().At(max(from[partition], last-why.LettersMax))
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topics.DeadLetters: begin})
	for ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			if !r.Attrs.IsControl() {
				letters.Add(deadLetterOf(r))
			}
		}
	}
	return nil
}
