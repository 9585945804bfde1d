//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"chargestream/engine"
)

// Stock goka: its default configuration and its default storage. Only where a group begins that
// has no offsets is set, as the default passes over what is there already.

// viewLook is how often a view is asked whether it has recovered.
const viewLook = time.Millisecond

func (c *child) runGoka(ctx context.Context) error {
	config := goka.DefaultConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	goka.ReplaceGlobalConfig(config)
	edges := []goka.Edge{goka.Persist(rowCodec{}),
		goka.Input(goka.Stream(c.Input), eventCodec{c.decode}, c.gokaFold)}
	if c.Output != "" {
		edges = append(edges, goka.Output(goka.Stream(c.Output), engine.Bytes{}))
	}
	p, err := goka.NewProcessor([]string{c.Broker}, goka.DefineGroup(goka.Group(c.Group), edges...),
		goka.WithStorageBuilder(storage.DefaultBuilder(c.StateDir)))
	if err != nil {
		return fmt.Errorf("make processor: %w", err)
	}
	return p.Run(ctx)
}

// runView runs a view of the group's table.
func (c *child) runView(ctx context.Context) error {
	v, err := goka.NewView([]string{c.Broker}, goka.Table(c.Group+"-table"), rowCodec{},
		goka.WithViewStorageBuilder(storage.DefaultBuilder(c.StateDir)),
		goka.WithViewHasher(engine.NewHasher))
	if err != nil {
		return fmt.Errorf("make view: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- v.Run(ctx) }()
	for !v.Recovered() {
		select {
		case err := <-done:
			return err
		case <-time.After(viewLook):
		}
	}
	c.mu.Lock()
	c.tellReady()
	c.mu.Unlock()
	counts := map[string]int64{}
	for _, key := range c.Probes {
		value, err := v.Get(key)
		if err != nil {
			return fmt.Errorf("look up %s: %w", key, err)
		}
		if r, ok := value.(*row); ok {
			counts[key] = r[rowCount]
		}
	}
	c.mu.Lock()
	c.report.Probes = counts
	c.mu.Unlock()
	return <-done
}

// eventCodec is a goka.Codec of events, which are only read.
type eventCodec struct{ decode decode }

// Encode implements goka.Codec.
func (eventCodec) Encode(v any) ([]byte, error) { return nil, fmt.Errorf("%T is not written", v) }

// Decode implements goka.Codec.
func (c eventCodec) Decode(b []byte) (any, error) {
	e := &event{}
	return e, c.decode(b, e)
}

// rowCodec is a goka.Codec of rows.
type rowCodec struct{}

// Encode implements goka.Codec.
func (rowCodec) Encode(v any) ([]byte, error) {
	r, ok := v.(*row)
	if !ok {
		return nil, fmt.Errorf("%T is no row", v)
	}
	return r.append(make([]byte, 0, rowBytes)), nil
}

// Decode implements goka.Codec.
func (rowCodec) Decode(b []byte) (any, error) {
	r := &row{}
	return r, decodeRow(b, r)
}
