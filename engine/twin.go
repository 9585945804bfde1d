package engine

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"chargestream/engine/broker"
)

// A coordinator answers FENCED_INSTANCE_ID to a process that has joined under a name if it knows
// another member of that name. That need not be another process. A join is in the coordinator's
// memory only until the group's next generation is written: if the coordinator moves before, or
// cannot write as replicas are missing, it knows the former member of the name again, which is this
// process's own of the attempt before, or that of the process before it. Such a member sends no
// heartbeats and is removed when its session is over. That of another process stays.

// Bounds of the look for another process of the same name.
const (
	twinEvery = 250 * time.Millisecond
	// twinSlack is what the coordinator may take to remove a member whose session is over.
	twinSlack = 2 * time.Second
	// twinAskMax bounds one look.
	twinAskMax = 2 * time.Second
)

// instanceTwice is the class of FENCED_INSTANCE_ID.
const instanceTwice = "instance_twice"

// twin reports whether another process has this instance's name in the group: whether a member has
// it for longer than a session lasts without a heartbeat. This process must not be a member.
func twin(ctx context.Context, p *Processor, c Config) bool {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...))
	if err != nil {
		return true
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	var since time.Time // when the coordinator was first seen to have the name, without a pause
	for ctx.Err() == nil {
		switch has, err := hasName(ctx, admin, p.Group, c.Instance); {
		case err != nil:
			since = time.Time{} // another coordinator counts sessions anew
		case !has:
			return false
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > c.SessionTimeout+twinSlack:
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(twinEvery):
		}
	}
	return false
}

// hasName reports whether a member of the group has an instance's name.
func hasName(ctx context.Context, admin *kadm.Client, group, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, twinAskMax)
	defer cancel()
	described, err := admin.DescribeGroups(ctx, group)
	if err == nil {
		err = described.Error()
	}
	if err != nil {
		return false, err
	}
	for _, m := range described[group].Members {
		if m.InstanceID != nil && *m.InstanceID == name {
			return true, nil
		}
	}
	return false, nil
}

// stops reports whether an error ends the processor for good. For one that says that another
// process has the name, that is looked at first.
func stops(ctx context.Context, p *Processor, c Config, class broker.Class) bool {
	if class.Name != instanceTwice {
		return class.Decision == broker.Stop
	}
	return twin(ctx, p, c)
}
