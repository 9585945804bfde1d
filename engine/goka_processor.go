package engine

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lovoo/goka"
)

// options replace goka's producer, consumer group, table consumer, topic manager and storage with
// the engine's.
func (i *instance) options() []goka.ProcessorOption {
	return []goka.ProcessorOption{
		goka.WithHasher(NewHasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithProducerBuilder(i.buildProducer),
		goka.WithConsumerGroupBuilder(i.buildGroup),
		goka.WithConsumerSaramaBuilder(NewTableReader(i.c.Log)),
		goka.WithTopicManagerBuilder(i.buildTopicManager),
		goka.WithStorageBuilder(i.buildStore),
		goka.WithUpdateCallback(Update),
		goka.WithPartitionChannelSize(channelSize),
		goka.WithLogger(printer{i.c.Log}),
	}
}

// graph is the processor as goka declares one, with one callback for every input.
func graph(p *Processor, callback goka.ProcessCallback) *goka.GroupGraph {
	edges := []goka.Edge{goka.Persist(Bytes{})}
	for _, topic := range p.Inputs {
		edges = append(edges, goka.Input(goka.Stream(topic), Bytes{}, callback))
	}
	if p.Clock != "" {
		edges = append(edges, goka.Input(goka.Stream(p.Clock), Bytes{}, callback))
	}
	for _, topic := range p.Lookups {
		edges = append(edges, goka.Lookup(goka.Table(topic), Bytes{}))
	}
	for _, topic := range p.OutputTopics() {
		edges = append(edges, goka.Output(goka.Stream(topic), Bytes{}))
	}
	return goka.DefineGroup(goka.Group(p.Group), edges...)
}

// handle is goka's callback for every input.
func (i *instance) handle(ctx goka.Context, _ any) {
	p := i.activePartition(ctx.Partition())
	if p == nil {
		i.fail(fmt.Errorf("partition %d is not ours", ctx.Partition()))
		return
	}
	if err := p.fold(ctx); err != nil {
		i.fail(err)
	}
}

// runGoka runs goka until ctx is done or the attempt has failed. goka ends its lookup tables when
// its context ends; the folds still need them then. So goka gets a context that ends after the
// folds.
func (i *instance) runGoka(ctx context.Context, proc *goka.Processor) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	i.runCtx, i.endGoka = ctx, cancel
	stop := context.AfterFunc(ctx, func() {
		if !i.began.Load() {
			cancel() // it is waiting for its lookup tables
		}
	})
	defer stop()
	return proc.Run(own)
}

// consuming ends the folds together with the instance. The function that it returns ends goka.
func (i *instance) consuming(cancel context.CancelCauseFunc) func() {
	i.began.Store(true)
	stop := context.AfterFunc(i.runCtx, func() { cancel(context.Canceled) })
	return func() { stop(); i.endGoka() }
}

// Bytes is the goka.Codec that leaves bytes as they are. The fold decodes them, because goka ends a
// processor when a codec fails.
type Bytes struct{}

// Encode implements goka.Codec.
func (Bytes) Encode(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not bytes", v)
	}
	return b, nil
}

// Decode implements goka.Codec.
func (Bytes) Decode(b []byte) (any, error) { return b, nil }

// printer adapts a slog.Logger for goka. Its messages are of little use in operation, so they have
// the level debug.
type printer struct{ log *slog.Logger }

// Print implements goka's logger.
func (p printer) Print(args ...any) { p.log.Debug(fmt.Sprint(args...)) }

// Printf implements goka's logger.
func (p printer) Printf(format string, args ...any) { p.log.Debug(fmt.Sprintf(format, args...)) }

// Println implements goka's logger.
func (p printer) Println(args ...any) { p.log.Debug(fmt.Sprintln(args...)) }
