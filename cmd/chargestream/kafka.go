package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bufferedMax bounds the records that wait to be acknowledged. Each waits at most --timeout, so
// that a broker which takes fewer than bufferedMax records in that time fails the command.
const bufferedMax = 2000

// The bounds of --timeout are those of the client; deliveryMin is the least that it allows a
// record to take.
const (
	timeoutMin  = 100 * time.Millisecond
	timeoutMax  = 15 * time.Minute
	deliveryMin = time.Second
)

// kafkaClient connects to the brokers and returns when one has answered. It is the one place
// where a client is made. The caller closes it.
func (a *app) kafkaClient(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	if len(a.brokers) == 0 {
		return nil, usageError("no Kafka broker is given",
			"set --brokers host:9092, "+envName("brokers")+" or brokers in the file of --config")
	}
	if a.timeout < timeoutMin || a.timeout > timeoutMax {
		return nil, usageError(fmt.Sprintf("--timeout %s is not between %s and %s", a.timeout,
			timeoutMin, timeoutMax), "")
	}
	all := append([]kgo.Opt{
		kgo.SeedBrokers(a.brokers...),
		kgo.ClientID("chargestream"),
		kgo.DialTimeout(a.timeout),
		// Five seconds by default: too old to see what was made just now.
		kgo.MetadataMinAge(topicPoll),
		kgo.RequestTimeoutOverhead(a.timeout), // a silent broker would else hold up Close
		kgo.RetryTimeout(a.timeout),
		kgo.RecordDeliveryTimeout(max(a.timeout, deliveryMin)),
		kgo.MaxBufferedRecords(bufferedMax),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // murmur2, as Kafka's own clients
		kgo.RequiredAcks(kgo.AllISRAcks()),
	}, opts...)
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, &exitError{code: exitUsage, what: "--brokers " + strings.Join(a.brokers, ",") +
			" cannot be used", hint: "write host:port, parted by commas", err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, a.unreachable(err)
	}
	return client, nil
}

// withAdmin calls do with a client for topics and groups.
func (a *app) withAdmin(ctx context.Context, do func(context.Context, *kadm.Client) error) error {
	client, err := a.kafkaClient(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, kadm.NewClient(client))
}

func (a *app) unreachable(err error) *exitError {
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", a.timeout)
	}
	return &exitError{code: exitUnreachable,
		what: "cannot reach Kafka at " + strings.Join(a.brokers, ", "),
		hint: "is the broker up, and is the address right? set --brokers or " + envName("brokers"),
		err:  err}
}

// kafkaError is an error of a request to Kafka: what was tried, and whether Kafka was there.
func (a *app) kafkaError(what string, err error) error {
	var exit *exitError
	var network net.Error
	switch {
	case errors.As(err, &exit):
		return exit
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, kgo.ErrRecordTimeout):
		lost := a.unreachable(err)
		lost.what = what + ": " + lost.what
		return lost
	case errors.Is(err, kerr.TopicAuthorizationFailed),
		errors.Is(err, kerr.GroupAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.SaslAuthenticationFailed):
		return &exitError{code: exitUnreachable, what: what + ": Kafka does not allow it", err: err,
			hint: "ask for the rights on the topics that \"chargestream topics\" lists"}
	}
	return &exitError{code: exitRuntime, what: what, err: err}
}

// needTopics fails with those of the topics that the cluster does not have.
func (a *app) needTopics(ctx context.Context, client *kgo.Client, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	listed, err := kadm.NewClient(client).ListTopics(ctx, names...)
	if err != nil {
		return a.kafkaError("list topics", err)
	}
	var missing []string
	for _, name := range names {
		detail := listed[name]
		switch {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition), len(detail.Partitions) == 0:
			missing = append(missing, name)
		case detail.Err != nil:
			return a.kafkaError("look up topic "+name, detail.Err)
		}
	}
	if len(missing) > 0 {
		return &exitError{code: exitNotFound,
			what: "the cluster has no topic " + strings.Join(missing, ", "),
			hint: "create it with \"chargestream topics apply\""}
	}
	return nil
}
