package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// codes are all that kerr knows, success excepted. It gives UNKNOWN_SERVER_ERROR for the others.
func codes() []*kerr.Error {
	all := []*kerr.Error{kerr.UnknownServerError}
	for code := range int16(math.MaxInt16) {
		if e := kerr.TypedErrorForCode(code); e != nil && e != kerr.UnknownServerError {
			all = append(all, e)
		}
	}
	return all
}

func allAnswers() []answer {
	return slices.Concat(retries, restarts, rejoins, stops, unexpected)
}

// TestClassOfEveryCode: a code of a new version of kerr is decided, or fails here.
func TestClassOfEveryCode(t *testing.T) {
	if n := len(codes()); n < 137 {
		t.Fatalf("kerr has %d codes, which cannot be all", n)
	}
	for _, code := range codes() {
		want, ok := answers[code.Code]
		if !ok {
			t.Errorf("%s (%d) is in no list of codes.go: decide what it means",
				code.Message, code.Code)
			continue
		}
		for _, err := range []error{code, sarama.KError(code.Code)} {
			if got := Classify(err); got != want {
				t.Errorf("%T %s: got %+v, want %+v", err, code.Message, got, want)
			}
		}
	}
	listed := map[int16]bool{}
	for _, a := range allAnswers() {
		for _, code := range a.codes {
			if listed[code.Code] {
				t.Errorf("%s is in two lists", code.Message)
			}
			listed[code.Code] = true
		}
	}
}

// TestDecisionsAgainstKerr lists the codes whose decision differs from kerr's own flag.
func TestDecisionsAgainstKerr(t *testing.T) {
	var against []string
	for _, code := range codes() {
		if got := Classify(code).Decision; (got == Retry) != code.Retriable {
			against = append(against, fmt.Sprintf("%s %s", code.Message, got))
		}
	}
	want := []string{
		"CORRUPT_MESSAGE restart",             // the client does not repeat a rejected batch
		"CONCURRENT_TRANSACTIONS retry",       // ends as soon as the markers are written
		"ELECTION_NOT_NEEDED restart",         // never asked for
		"UNKNOWN_TOPIC_ID restart",            // rows of a deleted topic are obsolete
		"INCONSISTENT_TOPIC_ID restart",       // the same
		"UNRELEASED_INSTANCE_ID retry",        // ends with the session of the former self
		"SHARE_SESSION_LIMIT_REACHED restart", // never asked for
	}
	if diff := cmp.Diff(want, against); diff != "" {
		t.Errorf("decided against kerr's flag (-want +got):\n%s", diff)
	}
}

// decided is a case of which the reason does not matter.
type decided struct {
	name     string
	err      error
	decision Decision
	class    string
}

func checkDecided(t *testing.T, cases []decided) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Classify(c.err)
			if got.Decision != c.decision || got.Name != c.class {
				t.Errorf("%v: got %s %s, want %s %s", c.err, got.Decision, got.Name,
					c.decision, c.class)
			}
			if got.Reason == "" {
				t.Error("no reason")
			}
		})
	}
}

// TestClassOfBrokers: events of a cluster and of an instance, by their error codes.
func TestClassOfBrokers(t *testing.T) {
	checkDecided(t, []decided{
		{"coordinator loads", kerr.CoordinatorLoadInProgress, Retry, "coordinator_moved"},
		{"coordinator moved", kerr.NotCoordinator, Retry, "coordinator_moved"},
		{"coordinator is away", kerr.CoordinatorNotAvailable, Retry, "coordinator_moved"},
		{"markers are written", kerr.ConcurrentTransactions, Retry, "transaction_pending"},
		{"offsets are pending", kerr.UnstableOffsetCommit, Retry, "transaction_pending"},
		{"leader moved", kerr.NotLeaderForPartition, Retry, "leader_moved"},
		{"follower is away", kerr.NotEnoughReplicas, Retry, "replicas_missing"},
		{"broker's disk fails", kerr.KafkaStorageError, Retry, "broker_disk"},
		{"metadata are late", kerr.UnknownTopicOrPartition, Retry, "topic_unknown"},
		{"topic recreated", kerr.UnknownTopicID, Restart, "topic_recreated"},
		{"transaction timed out, on write", kerr.InvalidProducerEpoch, Restart, "producer_epoch"},
		{"transaction timed out, on end", kerr.InvalidTxnState, Restart, "transaction_lost"},
		{"transaction failed", kerr.TransactionAbortable, Restart, "transaction_lost"},
		{"id expired", kerr.InvalidProducerIDMapping, Restart, "producer_lost"},
		{"batch lost", kerr.OutOfOrderSequenceNumber, Restart, "sequence"},
		{"taken over", kerr.ProducerFenced, Rejoin, "fenced"},
		{"given up", kerr.UnknownMemberID, Rejoin, "member_gone"},
		{"rebalanced", kerr.IllegalGeneration, Rejoin, "generation_over"},
		{"replaced by a twin", kerr.FencedInstanceID, Stop, "instance_twice"},
		{"former process still a member", kerr.UnreleasedInstanceID, Retry, "instance_in_use"},
		{"retention passed", kerr.OffsetOutOfRange, Restart, "offset_gone"},
		{"row too large", kerr.MessageTooLarge, Stop, "too_large"},
		{"no right", kerr.TopicAuthorizationFailed, Stop, "unauthorized"},
		{"wrong password", kerr.SaslAuthenticationFailed, Stop, "unauthenticated"},
		{"old broker", kerr.UnsupportedVersion, Stop, "broker_too_old"},
		{"group of another program", kerr.InconsistentGroupProtocol, Stop, "group_taken"},
		{"session timeout", kerr.InvalidSessionTimeout, Stop, "settings"},
		{"a code of the future", sarama.KError(30_000), Restart, "unknown"},
	})
}

// TestClassOfClients: errors that are not error codes of brokers.
func TestClassOfClients(t *testing.T) {
	dial := func(inner error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: inner}
	}
	refused := dial(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	full := &fs.PathError{Op: "write", Path: "000001.log", Err: syscall.ENOSPC}
	checkDecided(t, []decided{
		{"port is closed", refused, Retry, "network"},
		{"name is gone", dial(&net.DNSError{IsNotFound: true}), Retry, "network"},
		{"read timed out", dial(os.ErrDeadlineExceeded), Retry, "network"},
		{"connection reset", syscall.ECONNRESET, Retry, "network"},
		{"end of stream", io.EOF, Retry, "network"},
		{"half a message", io.ErrUnexpectedEOF, Retry, "network"},
		{"sarama has no broker", sarama.Wrap(sarama.ErrOutOfBrokers, refused,
			errors.New("something")), Retry, "network"},
		{"sarama has no broker and no password", sarama.Wrap(sarama.ErrOutOfBrokers,
			sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("no"))), Stop,
			"unauthenticated"},
		{"breaker", errors.New("circuit breaker is open"), Retry, "network"},
		{"sarama gives up a partition", sarama.ErrConsumerRetriesExhausted, Rejoin,
			"member_gone"},
		{"sarama's settings", sarama.ConfigurationError("Version"), Stop, "settings"},
		{"sarama's fetch limit", sarama.ErrMessageTooLarge, Stop, "unreadable"},
		{"sarama cannot read", sarama.PacketDecodingError{Info: "x"}, Restart, "protocol"},
		{"client closed", kgo.ErrClientClosed, Restart, "closed"},
		{"abort", kgo.ErrAborting, Restart, "aborted"},
		{"out of time", fmt.Errorf("%w, last err: %w", kgo.ErrRecordTimeout,
			kerr.NotLeaderForPartition), Restart, "undelivered"},
		{"out of tries", kgo.ErrRecordRetries, Restart, "undelivered"},
		{"buffer", kgo.ErrMaxBuffered, Retry, "buffer_full"},
		{"out of the group", &kgo.ErrGroupSession{Err: kerr.CoordinatorNotAvailable}, Rejoin,
			"member_gone"},
		{"out of a group of others", &kgo.ErrGroupSession{Err: kerr.InconsistentGroupProtocol},
			Stop, "group_taken"},
		{"first read", new(kgo.ErrFirstReadEOF), Restart, "closed_at_once"},
		{"data loss", &kgo.ErrDataLoss{Topic: "words"}, Restart, "data_loss"},
		{"bomb", &kgo.ErrDecompressTooLarge{Topic: "words", Offset: 7}, Stop, "unreadable"},
		{"certificate", dial(&tls.CertificateVerificationError{
			Err: x509.UnknownAuthorityError{}}), Stop, "untrusted"},
		{"disk is full", fmt.Errorf("commit: %w", full), Stop, "local_disk"},
		{"disk is gone", syscall.EIO, Stop, "local_disk"},
		{"no right to a file", &fs.PathError{Op: "open", Err: syscall.EACCES}, Stop,
			"local_disk"},
		{"no such file", &fs.PathError{Op: "open", Err: syscall.ENOENT}, Restart, "unknown"},
		{"leveldb", errors.New("leveldb: closed"), Restart, "unknown"},
		{"goka reaches no broker", fmt.Errorf("make processor: %w", errors.New("Error creating "+
			"topic manager: cannot connect to broker 127.0.0.1:15177: dial tcp "+
			"127.0.0.1:15177: connect: connection reset by peer")), Retry, "network"},
		{"goka finds none", errors.New("error creating view: Error creating topic " +
			"manager: Error creating the kafka " +
			"client: " + sarama.ErrOutOfBrokers.Error()), Retry, "network"},
		{"cancelled", fmt.Errorf("join: %w", context.Canceled), Restart, "cancelled"},
		{"own time limit", fmt.Errorf("flush: %w", context.DeadlineExceeded), Restart, "timeout"},
	})
	if got := Classify(nil); got != (Class{}) {
		t.Errorf("nil: got %+v, want nothing", got)
	}
}

// TestClassOfSeveral: the most severe decision wins, then the most specific class.
func TestClassOfSeveral(t *testing.T) {
	ended := fmt.Errorf("end transaction: %w", context.DeadlineExceeded)
	checkDecided(t, []decided{
		{"severity", errors.Join(kerr.NotCoordinator, kerr.InvalidTxnState,
			kerr.UnknownMemberID, kerr.FencedInstanceID), Stop, "instance_twice"},
		{"severity from behind", errors.Join(kerr.FencedInstanceID, kerr.NotCoordinator), Stop,
			"instance_twice"},
		{"member before transaction", errors.Join(kerr.InvalidTxnState,
			fmt.Errorf("commit: %w", kerr.UnknownMemberID)), Rejoin, "member_gone"},
		{"first of equals", errors.Join(kerr.InvalidTxnState, kerr.UnknownServerError), Restart,
			"transaction_lost"},
		{"own time limit hides no code", errors.Join(context.DeadlineExceeded,
			kerr.NotCoordinator), Retry, "coordinator_moved"},
		{"nor behind one", errors.Join(kerr.InvalidProducerEpoch, ended), Restart,
			"producer_epoch"},
		{"cancelled hides no code", errors.Join(context.Canceled, kerr.NotCoordinator), Retry,
			"coordinator_moved"},
		{"of nothing but limits the first", errors.Join(context.Canceled,
			context.DeadlineExceeded), Restart, "cancelled"},
		{"consequence before cause", errors.Join(kgo.ErrClientClosed, kgo.ErrAborting,
			kerr.OperationNotAttempted, kerr.InvalidProducerEpoch), Restart, "producer_epoch"},
		{"unknown hides no code", errors.Join(errors.New("x"), kerr.UnknownTopicID), Restart,
			"topic_recreated"},
		{"unknown is not retried", errors.Join(errors.New("x"), kerr.NotCoordinator), Restart,
			"unknown"},
		{"a commit of a fenced producer", fmt.Errorf("commit: %w",
			errors.Join(kerr.InvalidProducerEpoch, kerr.ProducerFenced)), Rejoin, "fenced"},
		{"deep", fmt.Errorf("a: %w", errors.Join(nil, fmt.Errorf("b: %w",
			fmt.Errorf("%w, %w", io.EOF, kerr.GroupMaxSizeReached)))), Stop, "group_full"},
		{"two libraries", errors.Join(sarama.ErrNotLeaderForPartition, kerr.ProducerFenced),
			Rejoin, "fenced"},
	})
}

// TestClassOfRecord: a record that was given up is missing in the transaction, whatever the error,
// and the reason names its topic.
func TestClassOfRecord(t *testing.T) {
	of := func(err error) error {
		return fmt.Errorf("flush: %w", &ProduceError{"words", 3, err})
	}
	checkDecided(t, []decided{
		{"no retry", of(kerr.NotLeaderForPartition), Restart, "leader_moved"},
		{"no retry of the way", of(io.EOF), Restart, "network"},
		{"rejoin stays", of(kerr.ProducerFenced), Rejoin, "fenced"},
		{"other errors beside it", errors.Join(of(kerr.NotLeaderForPartition),
			kerr.NotCoordinator), Restart, "leader_moved"},
		{"too large", of(fmt.Errorf("%w (uncompressed_bytes=9)", kerr.MessageTooLarge)), Stop,
			"too_large"},
		{"no key in a compacted topic", of(kerr.InvalidRecord), Stop, "record_refused"},
		{"clock", of(kerr.InvalidTimestamp), Stop, "time_refused"},
	})
	err := of(kerr.MessageTooLarge)
	want := "topic words: a record or batch is larger than its topic takes: raise the topic's " +
		"max.message.bytes"
	if got := Classify(err).Reason; got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
	if !strings.Contains(err.Error(), "produce to words/3: MESSAGE_TOO_LARGE") {
		t.Errorf("error is %q", err)
	}
}

// TestClassNames: labels have a fixed form, and the reason of every Stop names a remedy.
func TestClassNames(t *testing.T) {
	label := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, r := range allClasses() {
		if !label.MatchString(r.Name) {
			t.Errorf("class %q is no label", r.Name)
		}
		if r.Reason == "" || strings.HasSuffix(r.Reason, ".") {
			t.Errorf("%s: reason %q is no clause", r.Name, r.Reason)
		}
		why, do, ok := strings.Cut(r.Reason, ": ")
		if r.Decision == Stop && (!ok || why == "" || do == "") {
			t.Errorf("%s: %q names no remedy", r.Name, r.Reason)
		}
	}
	if got := fmt.Sprint(Retry, Restart, Rejoin, Stop, Decision(9)); got !=
		"retry restart rejoin stop decision 9" {
		t.Errorf("decisions are named %q", got)
	}
}

// allClasses are the classes of all tables.
func allClasses() []Class {
	all := otherClasses()
	for _, a := range allAnswers() {
		all = append(all, a.class)
	}
	return all
}

// otherClasses are those that are not of error codes.
func otherClasses() []Class {
	all := []Class{unknown, unreachable, noPermission, diskFull, diskBroken, outOfGroup,
		closedAtOnce, notTrusted, notUnderstood, outOfTime, workEnded, clientClosed,
		Classify(&kgo.ErrDataLoss{}), Classify(&kgo.ErrDecompressTooLarge{})}
	for _, s := range sentinels {
		all = append(all, s.class)
	}
	return all
}

// TestClassesOnPage: the table of the decision record equals the code.
func TestClassesOnPage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "decisions",
		"0007-broker-errors.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, a := range allAnswers() {
		var names []string
		for _, code := range a.codes {
			names = append(names, code.Message)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", a.class.Name,
			a.class.Decision, strings.Join(names, ", "), a.class.Reason))
	}
	_, table, _ := strings.Cut(string(raw), "\n## Answers of brokers\n")
	table, others, _ := strings.Cut(table, "\n## Other errors\n")
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-code +page):\n%s\nthe code's table:\n%s", diff,
			strings.Join(want, "\n"))
	}
	for _, r := range otherClasses() {
		row := fmt.Sprintf("| `%s` | %s |", r.Name, r.Decision)
		if !strings.Contains(others, row) {
			t.Errorf("no row %q among the other errors", row)
		}
	}
}

// TestOutcomeUnknown: three codes prove that a transaction was not committed.
func TestOutcomeUnknown(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"committed", nil, false},
		{"aborted after its timeout", kerr.InvalidTxnState, false},
		{"failed", fmt.Errorf("end: %w", kerr.TransactionAbortable), false},
		{"never sent", kerr.OperationNotAttempted, false},
		{"never sent, and why", errors.Join(kerr.OperationNotAttempted,
			kerr.InvalidTxnState), false},
		{"connection lost", io.EOF, true},
		{"own time limit", context.DeadlineExceeded, true},
		{"broker's time limit", kerr.RequestTimedOut, true},
		{"coordinator moved meanwhile", kerr.NotCoordinator, true},
		{"markers are being written", kerr.ConcurrentTransactions, true},
		{"fenced, maybe after the first try counted", kerr.ProducerFenced, true},
		{"the same on an old way", kerr.InvalidProducerEpoch, true},
		{"broker failed", kerr.UnknownServerError, true},
		{"sure beside unsure", errors.Join(kerr.InvalidTxnState, io.EOF), true},
		{"client closed", kgo.ErrClientClosed, true},
	} {
		if got := OutcomeUnknown(c.err); got != c.want {
			t.Errorf("%s: %v: got %t, want %t", c.name, c.err, got, c.want)
		}
	}
}

// TestClassOfRealClients: the client's errors for a broker that is too old, for a response that is
// too large and for a broker that is not there. It does not export the first two: Classify matches
// their text.
func TestClassOfRealClients(t *testing.T) {
	old := fakeCluster(t, kfake.MaxVersions(kversion.V0_10_0()))
	var topics []string
	for n := range 100 {
		topics = append(topics, fmt.Sprintf("topic-with-a-long-name-%d", n))
	}
	wordy := fakeCluster(t, kfake.SeedTopics(1, topics...))
	small := []kgo.Opt{kgo.BrokerMaxReadBytes(1 << 10), kgo.FetchMaxBytes(1 << 10),
		kgo.FetchMaxPartitionBytes(1 << 10)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	everything := kmsg.NewPtrMetadataRequest()
	everything.Topics = nil
	checkDecided(t, []decided{
		{"too old", answerTo(t, kmsg.NewPtrDescribeTransactionsRequest(), old), Stop,
			"broker_too_old"},
		{"too much", answerTo(t, everything, wordy, small...), Stop, "unreadable"},
		{"not there", answerTo(t, everything, l.Addr().String()), Retry, "network"},
	})
}

// nowhere is a broker that is not listed.
const nowhere = 77

// TestClassOfADeadBroker: the client's errors for a broker that is down, and that others still
// name. It exports none of them.
func TestClassOfADeadBroker(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.ControlKey(int16(kmsg.FindCoordinator), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
		r.NodeID = nowhere
		for _, key := range q.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
			one := kmsg.NewFindCoordinatorResponseCoordinator()
			one.Key, one.NodeID = key, nowhere
			r.Coordinators = append(r.Coordinators, one)
		}
		return r, nil, true
	})
	client := func() *kgo.Client {
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RequestRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		return cl
	}
	cl := client()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, gone := cl.Broker(nowhere).Request(ctx, kmsg.NewPtrMetadataRequest())
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Group = "g"
	_, group := cl.Request(ctx, heartbeat)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID = "id"
	_, transaction := cl.Request(ctx, end)
	c.ControlKey(int16(kmsg.Metadata), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		r := q.ResponseKind().(*kmsg.MetadataResponse)
		r.ControllerID = nowhere
		return r, nil, true
	})
	_, controller := client().Request(ctx, kmsg.NewPtrCreateTopicsRequest())
	checkDecided(t, []decided{
		{"not in the metadata", gone, Retry, "network"},
		{"coordinates a group", group, Retry, "coordinator_moved"},
		{"coordinates a transaction", transaction, Retry, "coordinator_moved"},
		{"is the controller", controller, Retry, "controller_moved"},
		{"had requests", errors.New("the broker connection has died and the request will be " +
			"retried on a new connection"), Retry, "network"},
		{"held a partition", errors.New("metadata update is missing a partition that we were " +
			"previously using"), Restart, "metadata_stale"},
	})
}

func fakeCluster(t *testing.T, opts ...kfake.Opt) string {
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// answerTo is the error of a request.
func answerTo(t *testing.T, q kmsg.Request, addr string, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = cl.SeedBrokers()[0].Request(ctx, q)
	return err
}
