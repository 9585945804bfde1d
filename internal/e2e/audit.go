package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"chargestream/engine"
)

// AuditTopic is the topic in which an Audited processor records what it did.
func AuditTopic(group string) string { return group + "-audit" }

// Entries of an account, one record each:
//
//	begin                 a new task begins for the partition, from the rows that are committed
//	take TOPIC OFFSET     the task takes a record
//	fire TABLE NOW KEY    the task fires a row at the stream time NOW
//	commit                the task commits what it did since the last commit
const (
	verbBegin  = "begin"
	verbTake   = "take"
	verbFire   = "fire"
	verbCommit = "commit"
)

// Audited is a processor that also sends an account of what its tasks do, in order: as one more
// output it is part of the same transactions.
func Audited(p *engine.Processor, partitions int32) *engine.Processor {
	a := &auditor{topic: AuditTopic(p.Group), keys: keysOf(partitions),
		tasks: map[int32]*engine.Context{}}
	audited := *p
	audited.Outputs = append(slices.Clone(p.Outputs), engine.Output{Topic: a.topic})
	audited.Taking = func(ctx *engine.Context, m *engine.Message) {
		a.write(ctx, "%s %s %d", verbTake, m.Topic, m.Offset)
	}
	audited.Firing = func(ctx *engine.Context, table, key string, _ int64) {
		a.write(ctx, "%s %s %d %s", verbFire, table, ctx.Arrival(), key)
	}
	audited.Committing = func(ctx *engine.Context) error {
		if p.Committing != nil {
			if err := p.Committing(ctx); err != nil {
				return err
			}
		}
		a.write(ctx, verbCommit)
		return nil
	}
	return &audited
}

// auditor writes the accounts of a processor.
type auditor struct {
	topic string
	keys  []string // by partition

	mu sync.Mutex
	// tasks are the contexts of the tasks that run, by partition: each task has one of its own.
	tasks map[int32]*engine.Context
}

// write adds an entry to the account of the context's partition.
func (a *auditor) write(ctx *engine.Context, format string, args ...any) {
	partition := ctx.Partition()
	a.mu.Lock()
	begins := a.tasks[partition] != ctx
	a.tasks[partition] = ctx
	a.mu.Unlock()
	if begins {
		ctx.Emit(a.topic, a.keys[partition], []byte(verbBegin))
	}
	ctx.Emit(a.topic, a.keys[partition], fmt.Appendf(nil, format, args...))
}

// keysOf gives for each partition a key that lies there.
func keysOf(partitions int32) []string {
	keys := make([]string, partitions)
	for i := 0; slices.Contains(keys, ""); i++ {
		key := strconv.Itoa(i)
		keys[engine.PartitionOf(key, partitions)] = key
	}
	return keys
}
