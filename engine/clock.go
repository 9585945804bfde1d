package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/task"
)

// clockEvery is how often a partition that is not idle gets a clock record, for rows whose timers
// were put off until one.
const clockEvery = time.Minute

// moveClock sends a clock record, with the next commit, to each partition that is idle or has had
// none for clockEvery, so that its timers fire.
func (i *instance) moveClock() {
	if i.p.Clock == "" || i.c.IdleAfter < 0 {
		return
	}
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	for id, p := range i.activeByID {
		idle := now.UnixMilli() - p.lastRecord.Load()
		if idle < i.c.IdleAfter.Milliseconds() && now.Sub(p.lastClock) < clockEvery {
			continue
		}
		p.lastRecord.Store(now.UnixMilli())
		p.lastClock = now
		i.clocks = append(i.clocks, clockRecord(i.p.Clock, id, now))
	}
}

// SendClock advances stream time in every partition of the processors that have a clock topic.
func SendClock(ctx context.Context, brokers []string, now time.Time, procs ...*Processor) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(Partitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	var records []*kgo.Record
	for _, p := range procs {
		if p.Clock == "" {
			continue
		}
		details, err := admin.ListTopics(ctx, p.Clock)
		if err != nil {
			return fmt.Errorf("look at topic %s: %w", p.Clock, err)
		}
		for partition := range details[p.Clock].Partitions {
			records = append(records, clockRecord(p.Clock, partition, now))
		}
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("send clock records: %w", err)
	}
	return nil
}

func clockRecord(topic string, partition int32, now time.Time) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte{},
		Headers: []kgo.RecordHeader{
			{Key: HeaderArrival, Value: task.ArrivalHeader(now.UnixMilli()).Value},
		}}
}
