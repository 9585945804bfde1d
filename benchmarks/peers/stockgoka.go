//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

const (
	stockGokaCommand = "stock-goka"
	gokaGroup        = "goka"
	// gokaTopics is what the names of its outputs begin with.
	gokaTopics = "goka-"
)

// stockGoka is the same job in goka as it is published. It promises less: a crash may count events
// twice, or not at all. Goka runs the topics of a partition in no order, so the fold depends on
// none (gokaStation). All that is known of a station lies in one row, as a group has one table.
func stockGoka() peer {
	return peer{name: peerGoka, group: gokaGroup, invoices: gokaTopics + topics.Invoices,
		prepare: func(ctx context.Context, s *stage) error {
			// Goka would make its table with two replicas.
			names := append(outputs(), "table")
			return createOutputs(ctx, s, gokaTopics, names...)
		},
		command: func(s *stage, dir, http string) (*exec.Cmd, error) {
			self, err := os.Executable()
			if err != nil {
				return nil, fmt.Errorf("find this program: %w", err)
			}
			args := []string{stockGokaCommand, "-brokers", s.addr, "-state", dir}
			if http == "" {
				args = append(args, "-until", fmt.Sprint(s.totals.Events))
			}
			return exec.Command(self, args...), nil
		},
		ready: awaitReadyLine,
		judge: func(*stage, string) ([]string, error) { return nil, nil },
	}
}

// gokaConfig is sarama's, for a high rate.
func gokaConfig() *sarama.Config {
	c := goka.DefaultConfig()
	// A group that has no offsets begins with what is there already.
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	// A request for each partition carries up to 4 MiB and not 1 MiB, and so fewer are needed.
	c.Consumer.Fetch.Default = 4 << 20
	// Channels of 256 messages make goroutines wait for each other.
	c.ChannelBufferSize = 4096
	// Batches end by size and not before: 1 MiB and not 64 KiB. The frequency of 100 ms stays, as
	// it is chargestream's commit interval. Acknowledgement by the leader stays as well: it is all
	// that there is on one broker.
	c.Producer.Flush.Bytes = 1 << 20
	c.Producer.Compression = sarama.CompressionLZ4
	return c
}

// gokaStorage keeps tables on disk, as the peers do. Memtables of 64 MiB and not 4 MiB spare most
// compactions; filters spare looking for keys that are not there; rows are not compressed, as they
// are short.
func gokaStorage(dir string) storage.Builder {
	return storage.BuilderWithOptions(dir, &opt.Options{
		WriteBuffer:            64 << 20,
		BlockCacheCapacity:     64 << 20,
		Compression:            opt.NoCompression,
		Filter:                 filter.NewBloomFilter(10),
		DisableSeeksCompaction: true,
	})
}

// gokaPartitionQueue is how many messages wait for the goroutine of a partition: goka's default is
// ten.
const gokaPartitionQueue = 1024

// stockGokaMain runs until so many events are folded, or until it is interrupted.
func stockGokaMain(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	broker := flags.String("brokers", "", "address of a broker")
	dir := flags.String("state", "", "state directory")
	until := flags.Int64("until", 0, "how many events to fold; 0 is endless")
	if err := flags.Parse(args); err != nil {
		return err
	}
	goka.ReplaceGlobalConfig(gokaConfig())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var folded atomic.Int64
	fold := func(ctx goka.Context, message any) {
		gokaFold(ctx, message)
		if folded.Add(1) == *until {
			cancel()
		}
	}
	p, err := goka.NewProcessor([]string{*broker}, gokaGraph(fold),
		goka.WithStorageBuilder(gokaStorage(*dir)),
		goka.WithPartitionChannelSize(gokaPartitionQueue),
		// The inputs are placed by murmur2. Goka's own hash would put rows of the table into other
		// partitions than the events they are made of, where a restart does not find them.
		goka.WithHasher(engine.NewHasher))
	if err != nil {
		return fmt.Errorf("make processor: %w", err)
	}
	go func() {
		if p.WaitForReadyContext(ctx) == nil {
			fmt.Fprintln(out, readyLine)
		}
	}()
	began := time.Now()
	if err := p.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run processor: %w", err)
	}
	fmt.Fprintf(out, "folded %d events in %v\n", folded.Load(), time.Since(began))
	return nil
}

// gokaGraph is what the processor reads and writes.
func gokaGraph(fold goka.ProcessCallback) *goka.GroupGraph {
	edges := []goka.Edge{goka.Persist(gokaRowCodec{})}
	for _, name := range []string{topics.StationStatus, topics.ChargingSessions,
		topics.MeterValues} {
		t, _ := topics.Lookup(name)
		edges = append(edges, goka.Input(goka.Stream(name), gokaEventCodec{t.Decode}, fold))
	}
	for _, name := range outputs() {
		edges = append(edges, goka.Output(goka.Stream(gokaTopics+name), engine.Bytes{}))
	}
	return goka.DefineGroup(gokaGroup, edges...)
}

// gokaFold folds one event.
func gokaFold(ctx goka.Context, message any) {
	event, ok := message.(chargestream.Event)
	if !ok {
		ctx.Emit(gokaTopics+topics.DeadLetters, ctx.Key(), message)
		return
	}
	s := &gokaStation{}
	if row, ok := ctx.Value().(*gokaStation); ok {
		s = row
	}
	s.fold(ctx.Key(), event, func(topic, key string, value []byte) {
		ctx.Emit(goka.Stream(gokaTopics+topic), key, value)
	})
	ctx.SetValue(s)
}

// gokaEventCodec is a goka.Codec of events. What cannot be read stays bytes: an error would end
// the processor.
type gokaEventCodec struct {
	decode func([]byte) (chargestream.Event, error)
}

// Encode implements goka.Codec.
func (gokaEventCodec) Encode(v any) ([]byte, error) {
	return nil, fmt.Errorf("%T is not written", v)
}

// Decode implements goka.Codec.
func (c gokaEventCodec) Decode(b []byte) (any, error) {
	event, err := c.decode(b)
	if err != nil {
		return b, nil
	}
	return event, nil
}

// gokaRowCodec is a goka.Codec of rows.
type gokaRowCodec struct{}

// Encode implements goka.Codec.
func (gokaRowCodec) Encode(v any) ([]byte, error) {
	s, ok := v.(*gokaStation)
	if !ok {
		return nil, fmt.Errorf("%T is no row", v)
	}
	return s.append(make([]byte, 0, 256)), nil
}

// Decode implements goka.Codec.
func (gokaRowCodec) Decode(b []byte) (any, error) { return decodeGokaStation(b) }
