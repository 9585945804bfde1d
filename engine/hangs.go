package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
	"chargestream/engine/hanging"
)

// hangMax bounds looking for hanging transactions and ending them.
const hangMax = 10 * time.Second

// Owner is whose transaction one is.
type Owner string

// The owners.
const (
	// OwnerOwn: an instance of these processors, this one or another.
	OwnerOwn Owner = "own"
	// OwnerOther: another application. It is never ended.
	OwnerOther Owner = "other"
	// OwnerUnknown: no coordinator knows the producer any more. It is never ended.
	OwnerUnknown Owner = "unknown"
)

// OwnerOf is whose a transactional id is: instances have that of their group and their name.
func OwnerOf(id string, procs ...*Processor) Owner {
	if id == "" {
		return OwnerUnknown
	}
	for _, p := range procs {
		if strings.HasPrefix(id, p.Group+"-") {
			return OwnerOwn
		}
	}
	return OwnerOther
}

// OpenTransactions are all transactions that are open on topics of processors and on the offsets of
// their groups, those that are alive included. With an error it returns what it could find.
func OpenTransactions(ctx context.Context, client *kgo.Client, procs ...*Processor) (
	[]hanging.Found, error) {
	found, unseen, unclear := openTransactions(ctx, client, procs...)
	return found, errors.Join(unseen, unclear)
}

// openTransactions has the errors of hanging.Look.
func openTransactions(ctx context.Context, client *kgo.Client, procs ...*Processor) (
	found []hanging.Found, unseen, unclear error) {
	admin := kadm.NewClient(client)
	s, failed := surveyOf(ctx, admin, watchedTopics(procs))
	failed = errors.Join(failed, s.addOffsets(ctx, admin, groupsOf(procs)))
	at := kadm.TopicsSet{}
	for p, e := range s {
		if e.stable < e.end {
			at.Add(p.topic, p.partition)
		}
	}
	found, unseen, unclear = lookAt(ctx, client, at, procs)
	return found, errors.Join(failed, unseen), unclear
}

// lookAt is hanging.Look without what hides nothing from processors: the offsets of other groups
// that share a partition of the topic of offsets.
func lookAt(ctx context.Context, client *kgo.Client, at kadm.TopicsSet, procs []*Processor) (
	found []hanging.Found, unseen, unclear error) {
	found, unseen, unclear = hanging.Look(ctx, client, at)
	return slices.DeleteFunc(found, func(f hanging.Found) bool {
		return f.Topic == hanging.OffsetsTopic && OwnerOf(f.ID, procs...) != OwnerOwn
	}), unseen, unclear
}

// hangs decides over several looks which hanging transactions are ended and what is logged. It is
// not safe for concurrent use.
type hangs struct {
	procs  []*Processor
	before []hanging.Found // of the last look
	told   []hanging.Found // were logged, and are still open
}

// look takes what was found and returns which transactions to end and which to log. A transaction
// is ended that two looks found in the same way, one after the other (hanging.Confirm). It is
// logged at that moment too, once. by is how many hang, by owner.
func (h *hangs) look(found []hanging.Found) (end, tell []hanging.Found, by map[Owner]int) {
	var told []hanging.Found
	by = map[Owner]int{}
	for _, f := range hanging.Confirm(h.before, found) {
		if !f.Decision.Action.Hangs() {
			continue
		}
		owner := OwnerOf(f.ID, h.procs...)
		by[owner]++
		if f.Decision.Action != hanging.Undecided && owner == OwnerOwn {
			end = append(end, f)
			continue
		}
		if !slices.ContainsFunc(h.told, func(g hanging.Found) bool { return f.Same(&g) }) {
			tell = append(tell, f)
		}
		told = append(told, f)
	}
	h.before, h.told = found, told
	return end, tell, by
}

// endFound ends what hangs, logs what it leaves, and counts both.
func (w *Watch) endFound(ctx context.Context, client *kgo.Client, found []hanging.Found) error {
	end, tell, by := w.hangs.look(found)
	for n := range tell {
		tellHanging(w.c.Log, &tell[n], OwnerOf(tell[n].ID, w.procs...))
	}
	w.c.Metrics.hanging(by)
	return endHanging(ctx, client, &w.c, end)
}

// endHanging ends transactions one by one, and logs and counts them.
func endHanging(ctx context.Context, client *kgo.Client, c *Config, list []hanging.Found) error {
	var failed error
	for n := range list {
		f, began := &list[n], time.Now()
		if err := hanging.End(ctx, client, f); err != nil {
			failed = errors.Join(failed, fmt.Errorf("transaction of %q: %w", f.ID, err))
			continue
		}
		c.Metrics.hangEnded(f.Decision.Action.String())
		c.Log.Warn("a hanging transaction was ended: its coordinator had ended it, and the "+
			"partition lacked the marker", hangAttrs(f, "took",
			time.Since(began).Round(time.Millisecond))...)
	}
	return failed
}

// hangAttrs are what a log line has of a transaction.
func hangAttrs(f *hanging.Found, more ...any) []any {
	return append([]any{"topic", f.Topic, "partition", f.Partition, "transactional_id", f.ID,
		"producer", f.ProducerID, "epoch", f.Epoch, "offset", f.Start, "state", string(f.State),
		"outcome", f.Decision.Action.String(), "reason", f.Decision.Reason}, more...)
}

// tellHanging logs a transaction that hangs and is not ended by this program.
func tellHanging(log *slog.Logger, f *hanging.Found, owner Owner) {
	text, remedy := "a transaction of this deployment hangs, and its outcome is not known",
		"see \"chargestream transactions list\" and docs/operations.md, Hanging transactions"
	if owner != OwnerOwn {
		text = "a transaction of another application hangs, and hides what is after it"
		remedy = "whoever runs that application ends it (kafka-transactions.sh abort)"
	}
	log.Error(text, hangAttrs(f, "owner", string(owner), "remedy", remedy)...)
}

// endOwnHanging ends what hangs of this instance's own transactional id, before its first
// transaction. The producer was initialised, so none of the id is alive. A transaction that is
// begun on the same partition would take over what hangs there: records that were aborted would be
// committed with it. So an attempt that could not look ends, and the next one looks again: a
// partition whose leader was away is just the one that may lack a marker. Only where looking needs
// what is missing for good, a right or a version of the broker, the instance goes on without. What
// cannot be said of other producers' transactions is theirs.
func (i *instance) endOwnHanging(ctx context.Context) error {
	if i.c.Guarantee != ExactlyOnce {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, hangMax)
	defer cancel()
	self, _, err := i.producer.ProducerID(within)
	found, unseen, unclear := openTransactions(within, i.producer, i.p)
	err = errors.Join(err, unseen)
	var own []hanging.Found
	for n := range found {
		f := &found[n]
		switch {
		case f.ID != i.transactionalID() && f.ProducerID != self:
		case f.Decision.Action == hanging.Wait:
			err = errors.Join(err, unclear) // what it is, nobody has said
		case f.Decision.Action == hanging.Commit || f.Decision.Action == hanging.Abort:
			own = append(own, *f)
		case f.Decision.Action.Hangs():
			tellHanging(i.c.Log, f, OwnerOwn)
		}
	}
	err = errors.Join(err, endHanging(within, i.producer, &i.c, own))
	if err == nil || ctx.Err() != nil {
		return nil
	}
	class := broker.Classify(err)
	if class.Decision < broker.Stop {
		return fmt.Errorf("look for hanging transactions of this instance: %w", err)
	}
	i.c.Log.Warn("hanging transactions of this instance cannot be looked for or ended",
		"group", i.p.Group, "class", class.Name, "error", err)
	return nil
}
