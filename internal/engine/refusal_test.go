package engine

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
	return slices.Concat(retried, redone, rejoined, stopped, unexpected)
}

// TestRefusalOfEveryCode: a code that a new version of kerr brings is decided on, or fails here.
func TestRefusalOfEveryCode(t *testing.T) {
	if n := len(codes()); n < 137 {
		t.Fatalf("kerr has %d codes, which cannot be all", n)
	}
	for _, code := range codes() {
		want, ok := answers[code.Code]
		if !ok {
			t.Errorf("%s (%d) is in no list of refusal.go: decide what it means",
				code.Message, code.Code)
			continue
		}
		for _, err := range []error{code, sarama.KError(code.Code)} {
			if got := classify(err); got != want {
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

// TestRefusalAgainstKerr: where kerr's own flag says otherwise, that is on purpose.
func TestRefusalAgainstKerr(t *testing.T) {
	var against []string
	for _, code := range codes() {
		if got := classify(code).decision; (got == retry) != code.Retriable {
			against = append(against, fmt.Sprintf("%s %s", code.Message, got))
		}
	}
	want := []string{
		"CORRUPT_MESSAGE redo",             // the client does not send a refused batch again
		"CONCURRENT_TRANSACTIONS retry",    // ends as soon as the markers are written
		"ELECTION_NOT_NEEDED redo",         // never asked for
		"UNKNOWN_TOPIC_ID redo",            // rows of the topic that was deleted are worth nothing
		"INCONSISTENT_TOPIC_ID redo",       // the same
		"UNRELEASED_INSTANCE_ID retry",     // ends with the session of the former self
		"SHARE_SESSION_LIMIT_REACHED redo", // never asked for
	}
	if diff := cmp.Diff(want, against); diff != "" {
		t.Errorf("decided against kerr's flag (-want +got):\n%s", diff)
	}
}

// decided is a case of which the reason does not matter.
type decided struct {
	name     string
	err      error
	decision decision
	class    string
}

func checkDecided(t *testing.T, cases []decided) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := classify(c.err)
			if got.decision != c.decision || got.class != c.class {
				t.Errorf("%v: got %s %s, want %s %s", c.err, got.decision, got.class,
					c.decision, c.class)
			}
			if got.reason == "" {
				t.Error("no reason")
			}
		})
	}
}

// TestRefusalOfBrokers: what happens to a cluster and to an instance, told by its answers.
func TestRefusalOfBrokers(t *testing.T) {
	checkDecided(t, []decided{
		{"coordinator loads", kerr.CoordinatorLoadInProgress, retry, "coordinator_moved"},
		{"coordinator moved", kerr.NotCoordinator, retry, "coordinator_moved"},
		{"coordinator is away", kerr.CoordinatorNotAvailable, retry, "coordinator_moved"},
		{"markers are written", kerr.ConcurrentTransactions, retry, "transaction_pending"},
		{"offsets are pending", kerr.UnstableOffsetCommit, retry, "transaction_pending"},
		{"leader moved", kerr.NotLeaderForPartition, retry, "leader_moved"},
		{"follower is away", kerr.NotEnoughReplicas, retry, "replicas_missing"},
		{"broker's disk fails", kerr.KafkaStorageError, retry, "broker_disk"},
		{"metadata are late", kerr.UnknownTopicOrPartition, retry, "topic_unknown"},
		{"topic made anew", kerr.UnknownTopicID, redo, "topic_recreated"},
		{"transaction timed out, on write", kerr.InvalidProducerEpoch, redo, "producer_epoch"},
		{"transaction timed out, on end", kerr.InvalidTxnState, redo, "transaction_lost"},
		{"transaction failed", kerr.TransactionAbortable, redo, "transaction_lost"},
		{"id expired", kerr.InvalidProducerIDMapping, redo, "producer_lost"},
		{"batch lost", kerr.OutOfOrderSequenceNumber, redo, "sequence"},
		{"taken over", kerr.ProducerFenced, rejoin, "fenced"},
		{"given up", kerr.UnknownMemberID, rejoin, "member_gone"},
		{"rebalanced", kerr.IllegalGeneration, rejoin, "generation_over"},
		{"replaced by a twin", kerr.FencedInstanceID, stop, "instance_twice"},
		{"former self still there", kerr.UnreleasedInstanceID, retry, "instance_in_use"},
		{"retention passed", kerr.OffsetOutOfRange, redo, "offset_gone"},
		{"row too large", kerr.MessageTooLarge, stop, "too_large"},
		{"no right", kerr.TopicAuthorizationFailed, stop, "unauthorized"},
		{"wrong password", kerr.SaslAuthenticationFailed, stop, "unauthenticated"},
		{"old broker", kerr.UnsupportedVersion, stop, "broker_too_old"},
		{"somebody's group", kerr.InconsistentGroupProtocol, stop, "group_taken"},
		{"session timeout", kerr.InvalidSessionTimeout, stop, "settings"},
		{"a code of the future", sarama.KError(30_000), redo, "unknown"},
	})
}

// TestRefusalOfClients: errors that are no answers of brokers.
func TestRefusalOfClients(t *testing.T) {
	dial := func(inner error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: inner}
	}
	refused := dial(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	full := &fs.PathError{Op: "write", Path: "000001.log", Err: syscall.ENOSPC}
	checkDecided(t, []decided{
		{"port is closed", refused, retry, "network"},
		{"name is gone", dial(&net.DNSError{IsNotFound: true}), retry, "network"},
		{"read timed out", dial(os.ErrDeadlineExceeded), retry, "network"},
		{"connection reset", syscall.ECONNRESET, retry, "network"},
		{"end of stream", io.EOF, retry, "network"},
		{"half a message", io.ErrUnexpectedEOF, retry, "network"},
		{"sarama has no broker", sarama.Wrap(sarama.ErrOutOfBrokers, refused,
			errors.New("something")), retry, "network"},
		{"sarama has no broker and no password", sarama.Wrap(sarama.ErrOutOfBrokers,
			sarama.Wrap(sarama.ErrSASLAuthenticationFailed, errors.New("no"))), stop,
			"unauthenticated"},
		{"breaker", errors.New("circuit breaker is open"), retry, "network"},
		{"sarama gives up a partition", sarama.ErrConsumerRetriesExhausted, rejoin,
			"member_gone"},
		{"sarama's settings", sarama.ConfigurationError("Version"), stop, "settings"},
		{"sarama's fetch limit", sarama.ErrMessageTooLarge, stop, "unreadable"},
		{"sarama cannot read", sarama.PacketDecodingError{Info: "x"}, redo, "protocol"},
		{"client closed", kgo.ErrClientClosed, redo, "closed"},
		{"abort", kgo.ErrAborting, redo, "aborted"},
		{"out of time", fmt.Errorf("%w, last err: %w", kgo.ErrRecordTimeout,
			kerr.NotLeaderForPartition), redo, "undelivered"},
		{"out of tries", kgo.ErrRecordRetries, redo, "undelivered"},
		{"buffer", kgo.ErrMaxBuffered, retry, "buffer_full"},
		{"out of the group", &kgo.ErrGroupSession{Err: kerr.CoordinatorNotAvailable}, rejoin,
			"member_gone"},
		{"out of a group of others", &kgo.ErrGroupSession{Err: kerr.InconsistentGroupProtocol},
			stop, "group_taken"},
		{"first read", new(kgo.ErrFirstReadEOF), redo, "closed_at_once"},
		{"data loss", &kgo.ErrDataLoss{Topic: "words"}, redo, "data_loss"},
		{"bomb", &kgo.ErrDecompressTooLarge{Topic: "words", Offset: 7}, stop, "unreadable"},
		{"certificate", dial(&tls.CertificateVerificationError{
			Err: x509.UnknownAuthorityError{}}), stop, "untrusted"},
		{"disk is full", fmt.Errorf("commit: %w", full), stop, "local_disk"},
		{"disk is gone", syscall.EIO, stop, "local_disk"},
		{"no right to a file", &fs.PathError{Op: "open", Err: syscall.EACCES}, stop,
			"local_disk"},
		{"no such file", &fs.PathError{Op: "open", Err: syscall.ENOENT}, redo, "unknown"},
		{"leveldb", errors.New("leveldb: closed"), redo, "unknown"},
		{"cancelled", fmt.Errorf("join: %w", context.Canceled), redo, "cancelled"},
		{"own time limit", fmt.Errorf("flush: %w", context.DeadlineExceeded), redo, "timeout"},
	})
	if got := classify(nil); got != (refusal{}) {
		t.Errorf("nil: got %+v, want nothing", got)
	}
}

// TestRefusalOfSeveral: the most severe decides, and what tells more is told.
func TestRefusalOfSeveral(t *testing.T) {
	ended := fmt.Errorf("end transaction: %w", context.DeadlineExceeded)
	checkDecided(t, []decided{
		{"severity", errors.Join(kerr.NotCoordinator, kerr.InvalidTxnState,
			kerr.UnknownMemberID, kerr.FencedInstanceID), stop, "instance_twice"},
		{"severity from behind", errors.Join(kerr.FencedInstanceID, kerr.NotCoordinator), stop,
			"instance_twice"},
		{"member before transaction", errors.Join(kerr.InvalidTxnState,
			fmt.Errorf("commit: %w", kerr.UnknownMemberID)), rejoin, "member_gone"},
		{"first of equals", errors.Join(kerr.InvalidTxnState, kerr.UnknownServerError), redo,
			"transaction_lost"},
		{"own time limit hides no code", errors.Join(context.DeadlineExceeded,
			kerr.NotCoordinator), retry, "coordinator_moved"},
		{"nor behind one", errors.Join(kerr.InvalidProducerEpoch, ended), redo,
			"producer_epoch"},
		{"cancelled hides no code", errors.Join(context.Canceled, kerr.NotCoordinator), retry,
			"coordinator_moved"},
		{"of nothing but limits the first", errors.Join(context.Canceled,
			context.DeadlineExceeded), redo, "cancelled"},
		{"consequence before cause", errors.Join(kgo.ErrClientClosed, kgo.ErrAborting,
			kerr.OperationNotAttempted, kerr.InvalidProducerEpoch), redo, "producer_epoch"},
		{"unknown hides no code", errors.Join(errors.New("x"), kerr.UnknownTopicID), redo,
			"topic_recreated"},
		{"unknown is not retried", errors.Join(errors.New("x"), kerr.NotCoordinator), redo,
			"unknown"},
		{"what a commit of who was fenced says", fmt.Errorf("commit: %w",
			errors.Join(kerr.InvalidProducerEpoch, kerr.ProducerFenced)), rejoin, "fenced"},
		{"deep", fmt.Errorf("a: %w", errors.Join(nil, fmt.Errorf("b: %w",
			fmt.Errorf("%w, %w", io.EOF, kerr.GroupMaxSizeReached)))), stop, "group_full"},
		{"two libraries", errors.Join(sarama.ErrNotLeaderForPartition, kerr.ProducerFenced),
			rejoin, "fenced"},
	})
}

// TestRefusalOfRecord: a record that was given up is missing in the unit of work, whatever was the
// reason, and what there is to do is to do at its topic.
func TestRefusalOfRecord(t *testing.T) {
	of := func(err error) error {
		return fmt.Errorf("flush: %w", &produceError{"words", 3, err})
	}
	checkDecided(t, []decided{
		{"no retry", of(kerr.NotLeaderForPartition), redo, "leader_moved"},
		{"no retry of the way", of(io.EOF), redo, "network"},
		{"rejoin stays", of(kerr.ProducerFenced), rejoin, "fenced"},
		{"other errors beside it", errors.Join(of(kerr.NotLeaderForPartition),
			kerr.NotCoordinator), redo, "leader_moved"},
		{"too large", of(fmt.Errorf("%w (uncompressed_bytes=9)", kerr.MessageTooLarge)), stop,
			"too_large"},
		{"no key in a compacted topic", of(kerr.InvalidRecord), stop, "record_refused"},
		{"clock", of(kerr.InvalidTimestamp), stop, "time_refused"},
	})
	err := of(kerr.MessageTooLarge)
	want := "topic words: a record or batch is larger than its topic takes: raise the topic's " +
		"max.message.bytes"
	if got := classify(err).reason; got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
	if !strings.Contains(err.Error(), "produce to words/3: MESSAGE_TOO_LARGE") {
		t.Errorf("error is %q", err)
	}
}

// TestRefusalNames: labels are of a fixed form, and who is told that it stops is told what to do.
func TestRefusalNames(t *testing.T) {
	label := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, r := range allRefusals() {
		if !label.MatchString(r.class) {
			t.Errorf("class %q is no label", r.class)
		}
		if r.reason == "" || strings.HasSuffix(r.reason, ".") {
			t.Errorf("%s: reason %q is no clause", r.class, r.reason)
		}
		why, do, ok := strings.Cut(r.reason, ": ")
		if r.decision == stop && (!ok || why == "" || do == "") {
			t.Errorf("%s: %q does not say what to do", r.class, r.reason)
		}
	}
	if got := fmt.Sprint(retry, redo, rejoin, stop, decision(9)); got !=
		"retry redo rejoin stop decision 9" {
		t.Errorf("decisions are called %q", got)
	}
}

// allRefusals are those of all tables.
func allRefusals() []refusal {
	all := otherRefusals()
	for _, a := range allAnswers() {
		all = append(all, a.refusal)
	}
	return all
}

// otherRefusals are those that are no answers of brokers.
func otherRefusals() []refusal {
	all := []refusal{notKnown, noWay, noRight, diskFull, diskBroken, outOfGroup, closedAtOnce,
		notTrusted, notUnderstood, outOfTime, workEnded, clientClosed,
		classify(&kgo.ErrDataLoss{}), classify(&kgo.ErrDecompressTooLarge{})}
	for _, s := range sentinels {
		all = append(all, s.refusal)
	}
	return all
}

// TestRefusalPage: the page that argues the decisions says what the code does.
func TestRefusalPage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "decisions",
		"0007-broker-refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, a := range allAnswers() {
		var names []string
		for _, code := range a.codes {
			names = append(names, code.Message)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", a.refusal.class,
			a.refusal.decision, strings.Join(names, ", "), a.refusal.reason))
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
	for _, r := range otherRefusals() {
		row := fmt.Sprintf("| `%s` | %s |", r.class, r.decision)
		if !strings.Contains(others, row) {
			t.Errorf("no row %q among the other errors", row)
		}
	}
}

// TestRefusalEndOfTransaction: only what cannot have been committed is known not to be.
func TestRefusalEndOfTransaction(t *testing.T) {
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
		if got := endOfTransactionUnknown(c.err); got != c.want {
			t.Errorf("%s: %v: got %t, want %t", c.name, c.err, got, c.want)
		}
	}
}

// TestRefusalOfRealClients: what the client says of brokers that are too old, say too much, or are
// not there. It does not export the first two errors: they are known by their text.
func TestRefusalOfRealClients(t *testing.T) {
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
		{"too old", answerTo(t, kmsg.NewPtrDescribeTransactionsRequest(), old), stop,
			"broker_too_old"},
		{"too much", answerTo(t, everything, wordy, small...), stop, "unreadable"},
		{"not there", answerTo(t, everything, l.Addr().String()), retry, "network"},
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
