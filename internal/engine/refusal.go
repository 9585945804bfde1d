package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"syscall"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// decision is what is done about an error of a broker or of the way to it. The order is that of
// severity: of several errors the most severe decides.
type decision int

// The decisions.
const (
	// retry sends the same request again after a pause: nothing was decided.
	retry decision = iota
	// redo aborts the unit of work, forgets its rows and begins again from what is committed.
	redo
	// rejoin is a redo of a member that is one no more: it begins with the group.
	rejoin
	// stop ends the processor: no restart mends it.
	stop
)

// String names the decision, for a log and for a label.
func (d decision) String() string {
	switch d {
	case retry:
		return "retry"
	case redo:
		return "redo"
	case rejoin:
		return "rejoin"
	case stop:
		return "stop"
	}
	return fmt.Sprintf("decision %d", int(d))
}

// refusal is what an error means.
type refusal struct {
	decision decision
	reason   string // one clause: why; for stop, after a colon, what to do
	class    string // one of a fixed set, for a label
}

// classify decides what an error means. It looks through what is wrapped and joined: the most
// severe error decides, among equals one that is a cause goes before one that is a consequence or
// that nobody knows, and then the first. A cancelled context and a time limit of our own are no
// answer of anybody and count only where nothing else is.
//
// What nobody knows is redone: whatever it was, what is committed is whole. The zero refusal is
// the answer to nil. docs/decisions/0007-broker-refusals.md argues the table.
func classify(err error) refusal {
	var s search
	s.look(err, nil, false)
	if len(s.found) == 0 {
		return refusal{}
	}
	return slices.MaxFunc(s.found, finding.compare).refusal
}

// endOfTransactionUnknown tells whether a transaction may have been committed although its end
// failed. Then the end must not be asked for again, nor local state be kept: what is committed is
// read anew. The end must have been asked for once only.
//
// Only three answers are sure, as brokers give them to transactions that cannot be committed any
// more. PRODUCER_FENCED is not among them: the client sends a request again whose answer was lost,
// and a transaction that was committed by the first is then refused to who has been fenced since.
func endOfTransactionUnknown(err error) bool {
	if err == nil {
		return false
	}
	inner := unwrapped(err)
	if len(inner) == 0 {
		code, ok := codeOf(err)
		return !ok || code != kerr.InvalidTxnState.Code && code != kerr.TransactionAbortable.Code &&
			code != kerr.OperationNotAttempted.Code
	}
	return slices.ContainsFunc(inner, endOfTransactionUnknown)
}

// produceError is the error of a record that the client has given up: the unit of work is whole no
// more, and no retry of a request mends that.
type produceError struct {
	topic     string
	partition int32
	err       error
}

// Error implements error.
func (e *produceError) Error() string {
	return fmt.Sprintf("produce to %s/%d: %v", e.topic, e.partition, e.err)
}

// Unwrap gives the answer of the broker or of the client.
func (e *produceError) Unwrap() error { return e.err }

// of is a refusal as that of a record.
func (e *produceError) of(r refusal) refusal {
	r.decision = max(r.decision, redo)
	r.reason = fmt.Sprintf("topic %s: %s", e.topic, r.reason)
	return r
}

// classFenced is the class of an attempt whose producer was fenced.
const classFenced = "fenced"

// standing is how much an error tells; among equal decisions the higher one is told.
type standing int

const (
	aside       standing = iota // no answer of anybody; counts only alone
	unknown                     // nobody knows it
	consequence                 // follows from another error
	cause
)

// finding is an error that was met on the way through what is wrapped and joined.
type finding struct {
	refusal
	standing standing
}

func (f finding) compare(g finding) int {
	if (f.standing == aside) != (g.standing == aside) {
		return int(min(f.standing, 1) - min(g.standing, 1))
	}
	if f.decision != g.decision {
		return int(f.decision - g.decision)
	}
	return int(f.standing - g.standing)
}

// search collects findings in the order of the errors.
type search struct{ found []finding }

// look goes through an error and all that it wraps. known says that something around it was
// recognised: then what nobody knows inside is a detail.
//
//nolint:errorlint // one layer at a time: search.look goes through what is wrapped
func (s *search) look(err error, record *produceError, known bool) {
	if err == nil {
		return
	}
	if e, ok := err.(*produceError); ok {
		record = e
	}
	for _, f := range recognise(err) {
		known = true
		s.add(f, record)
	}
	inner := unwrapped(err)
	if len(inner) == 0 && !known {
		s.add(finding{notKnown, unknown}, record)
	}
	for _, e := range inner {
		s.look(e, record, known)
	}
}

func (s *search) add(f finding, record *produceError) {
	if record != nil {
		f.refusal = record.of(f.refusal)
	}
	s.found = append(s.found, f)
}

// unwrapped are the errors right under one.
//
//nolint:errorlint // one layer at a time: search.look goes through what is wrapped
func unwrapped(err error) []error {
	var inner []error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		inner = e.Unwrap()
	case interface{ Unwrap() error }:
		inner = []error{e.Unwrap()}
	}
	return slices.DeleteFunc(slices.Clone(inner), func(e error) bool { return e == nil })
}

// recognise tells what one error is, without what it wraps.
//
//nolint:errorlint // one layer at a time: search.look goes through what is wrapped
func recognise(err error) []finding {
	if code, ok := codeOf(err); ok {
		return ofCode(code)
	}
	if f, ok := ofType(err); ok {
		return []finding{f}
	}
	for _, s := range sentinels {
		if slices.Contains(s.errs, err) || slices.Contains(s.texts, err.Error()) {
			return []finding{{s.refusal, s.standing}}
		}
	}
	if hidden, ok := err.(interface{ Is(error) bool }); ok {
		return ofHidden(hidden)
	}
	return nil
}

// codeOf is the code of a broker's answer.
//
//nolint:errorlint // one layer at a time: search.look goes through what is wrapped
func codeOf(err error) (int16, bool) {
	switch e := err.(type) {
	case *kerr.Error:
		return e.Code, true
	case sarama.KError:
		return int16(e), true
	}
	return 0, false
}

func ofCode(code int16) []finding {
	if code == 0 {
		return nil // sarama has an error for success
	}
	r, ok := answers[code]
	switch {
	case !ok:
		return []finding{{notKnown, unknown}}
	case code == kerr.OperationNotAttempted.Code:
		return []finding{{r, consequence}}
	}
	return []finding{{r, cause}}
}

// ofHidden asks an error that keeps what it wraps to itself, as sarama's sentinelError does.
func ofHidden(err interface{ Is(error) bool }) []finding {
	var found []finding
	for code, r := range answers {
		if err.Is(sarama.KError(code)) {
			found = append(found, finding{r, cause})
		}
	}
	for _, s := range sentinels {
		if slices.ContainsFunc(s.errs, err.Is) {
			found = append(found, finding{s.refusal, s.standing})
		}
	}
	return found
}

// ofType recognises errors by their type.
//
//nolint:errorlint // one layer at a time: search.look goes through what is wrapped
func ofType(err error) (finding, bool) {
	switch e := err.(type) {
	case syscall.Errno:
		return ofErrno(e)
	case *fs.PathError:
		return finding{noRight, cause}, errors.Is(e, fs.ErrPermission)
	case *kgo.ErrDataLoss:
		return finding{refusal{redo, "acknowledged records were lost by the cluster: " +
			e.Error(), "data_loss"}, cause}, true
	case *kgo.ErrGroupSession:
		return finding{outOfGroup, consequence}, true
	case *kgo.ErrFirstReadEOF:
		return finding{closedAtOnce, cause}, true
	case *kgo.ErrDecompressTooLarge:
		return finding{refusal{stop, fmt.Sprintf("%s/%d has a batch at offset %d that is too "+
			"large to be read: have the producer write smaller ones", e.Topic, e.Partition,
			e.Offset), "unreadable"}, cause}, true
	case *tls.CertificateVerificationError:
		return finding{notTrusted, cause}, true
	case sarama.ConfigurationError:
		return finding{refusal{stop, "the client refuses its settings: mend " + string(e),
			"settings"}, cause}, true
	case sarama.PacketDecodingError, sarama.PacketEncodingError:
		return finding{notUnderstood, cause}, true
	case net.Error:
		return finding{noWay, cause}, err != context.DeadlineExceeded // which is one too
	}
	return finding{}, false
}

// ofErrno recognises what the operating system says of disks and connections.
func ofErrno(e syscall.Errno) (finding, bool) {
	switch e {
	case syscall.ENOSPC, syscall.EDQUOT:
		return finding{diskFull, cause}, true
	case syscall.EROFS, syscall.EIO:
		return finding{diskBroken, cause}, true
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
		syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL:
		return finding{noWay, cause}, true
	}
	return finding{}, false
}

// Refusals that are no answers of a broker.
var (
	notKnown = refusal{redo, "an error that is in no table", "unknown"}
	noWay    = refusal{retry, "a broker is down or the way to it is broken", "network"}
	noRight  = refusal{stop, "files of the state directory may not be used: give this user the " +
		"right to read and write them", "local_disk"}
	diskFull = refusal{stop, "the disk of the state directory is full: make room, or name " +
		"another state directory", "local_disk"}
	diskBroken = refusal{stop, "the disk of the state directory cannot be read or written: name " +
		"another state directory", "local_disk"}
	outOfGroup   = refusal{rejoin, "the client has lost its place in the group", "member_gone"}
	closedAtOnce = refusal{redo, "a broker closed the connection at once: it is going down, or " +
		"one side speaks TLS or SASL and the other does not", "closed_at_once"}
	notTrusted = refusal{stop, "a broker's certificate is not trusted: look at its authority, " +
		"its names and its dates", "untrusted"}
	notUnderstood = refusal{redo, "a message of the protocol could not be read or written",
		"protocol"}
	outOfTime    = refusal{redo, "the time limit of the work is over", "timeout"}
	workEnded    = refusal{redo, "somebody ended the work", "cancelled"}
	clientClosed = refusal{redo, "the client is closed or closing", "closed"}
)

// sentinel is a meaning of errors that are values; texts are for those that are not exported.
type sentinel struct {
	refusal  refusal
	standing standing
	errs     []error
	texts    []string
}

// sentinels are the errors of the clients and of the standard library.
var sentinels = []sentinel{
	{workEnded, aside, []error{context.Canceled}, nil},
	{outOfTime, aside, []error{context.DeadlineExceeded}, nil},
	{noWay, cause, []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
		sarama.ErrOutOfBrokers, sarama.ErrBrokerNotFound, sarama.ErrNotConnected,
		sarama.ErrControllerNotAvailable},
		// Of go-resiliency, which sarama's producer uses and this module does not require.
		[]string{"circuit breaker is open"}},
	{clientClosed, consequence, []error{kgo.ErrClientClosed, sarama.ErrClosedClient,
		sarama.ErrClosedConsumerGroup, sarama.ErrShuttingDown}, nil},
	{refusal{redo, "buffered records were thrown away by an abort", "aborted"}, consequence,
		[]error{kgo.ErrAborting}, nil},
	{refusal{redo, "records could not be written in the time or number of tries they have",
		"undelivered"}, consequence, []error{kgo.ErrRecordTimeout, kgo.ErrRecordRetries}, nil},
	{refusal{retry, "the producer holds as many records as it may", "buffer_full"}, cause,
		[]error{kgo.ErrMaxBuffered}, nil},
	{refusal{stop, "a batch is too large to be read: have the producer write smaller ones",
		"unreadable"}, cause, []error{kgo.ErrMaxDecompress, sarama.ErrMessageTooLarge,
		sarama.ErrDecompressedBatchTooLarge},
		[]string{"response exceeds BrokerMaxReadBytes"}},
	{refusal{stop, tooOld, "broker_too_old"}, cause, nil, []string{"broker is too old; the " +
		"broker has already indicated it will not know how to handle the request"}},
	{notUnderstood, cause, []error{sarama.ErrIncompleteResponse, sarama.ErrInsufficientData,
		sarama.ErrConsumerOffsetNotAdvanced}, nil},
	{outOfGroup, consequence, []error{sarama.ErrConsumerRetriesExhausted,
		sarama.ErrSessionHeartbeatFailed, sarama.ErrRebalanceTimedOut}, nil},
}

// answer is a meaning that codes of Kafka share.
type answer struct {
	refusal refusal
	codes   []*kerr.Error
}

// tooOld is said of brokers that lack what the engine asks for.
const tooOld = "a broker does not know the request: exactly_once needs Kafka 4.0 or later with " +
	"transaction.version 2"

// answers are the meanings of Kafka's codes.
var answers = byCode(retried, redone, rejoined, stopped, unexpected)

// byCode is the meaning of each code of some lists.
func byCode(lists ...[]answer) map[int16]refusal {
	m := map[int16]refusal{}
	for _, a := range slices.Concat(lists...) {
		for _, code := range a.codes {
			m[code.Code] = a.refusal
		}
	}
	return m
}

// retried are the answers that decide nothing.
var retried = []answer{
	{refusal{retry, "the connection to a broker broke", "network"},
		[]*kerr.Error{kerr.NetworkException}},
	{refusal{retry, "a broker was not done in its time", "broker_timeout"},
		[]*kerr.Error{kerr.RequestTimedOut}},
	{refusal{retry, "the partition has another leader, or none yet", "leader_moved"},
		[]*kerr.Error{kerr.LeaderNotAvailable, kerr.NotLeaderForPartition,
			kerr.BrokerNotAvailable, kerr.ReplicaNotAvailable, kerr.ListenerNotFound,
			kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.OffsetNotAvailable,
			kerr.PreferredLeaderNotAvailable, kerr.EligibleLeadersNotAvailable}},
	{refusal{retry, "a broker's disk fails, and another broker takes over", "broker_disk"},
		[]*kerr.Error{kerr.KafkaStorageError}},
	{refusal{retry, "the partition has fewer replicas in sync than it must have",
		"replicas_missing"},
		[]*kerr.Error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend}},
	{refusal{retry, "the coordinator starts, loads or has moved", "coordinator_moved"},
		[]*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable,
			kerr.NotCoordinator}},
	{refusal{retry, "the controller has moved", "controller_moved"},
		[]*kerr.Error{kerr.NotController}},
	{refusal{retry, "a transaction before this one is still being ended",
		"transaction_pending"},
		[]*kerr.Error{kerr.ConcurrentTransactions, kerr.UnstableOffsetCommit}},
	{refusal{retry, "the topic is gone, or the broker has not heard of it yet",
		"topic_unknown"}, []*kerr.Error{kerr.UnknownTopicOrPartition}},
	{refusal{retry, "a quota is used up for the moment", "throttled"},
		[]*kerr.Error{kerr.ThrottlingQuotaExceeded}},
	{refusal{retry, "the broker has forgotten the fetch session", "fetch_session"},
		[]*kerr.Error{kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch,
			kerr.FetchSessionTopicIDError}},
	{refusal{retry, "the group still has a member of this instance's name, alive or until its " +
		"session times out", "instance_in_use"}, []*kerr.Error{kerr.UnreleasedInstanceID}},
}

// redone are the answers after which the unit of work cannot count any more.
var redone = []answer{
	{refusal{redo, "a broker failed and does not say at what", "server_error"},
		[]*kerr.Error{kerr.UnknownServerError, kerr.PrincipalDeserializationFailure}},
	{refusal{redo, "a broker finds fault with a request", "request_refused"},
		[]*kerr.Error{kerr.InvalidRequest, kerr.InvalidFetchSize}},
	{refusal{redo, "the topic was deleted and made again", "topic_recreated"},
		[]*kerr.Error{kerr.UnknownTopicID, kerr.InconsistentTopicID}},
	{refusal{redo, "the transaction timed out, or another producer has its id",
		"producer_epoch"}, []*kerr.Error{kerr.InvalidProducerEpoch}},
	{refusal{redo, "the transaction timed out or failed, and can only be aborted",
		"transaction_lost"},
		[]*kerr.Error{kerr.InvalidTxnState, kerr.TransactionAbortable,
			kerr.OperationNotAttempted}},
	{refusal{redo, "the cluster has forgotten the producer", "producer_lost"},
		[]*kerr.Error{kerr.InvalidProducerIDMapping, kerr.UnknownProducerID,
			kerr.TransactionalIDNotFound}},
	{refusal{redo, "the numbers of the producer's batches have a gap: batches were lost or " +
		"overtook each other", "sequence"},
		[]*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.DuplicateSequenceNumber}},
	{refusal{redo, "records were deleted before they were read, or the log was cut",
		"offset_gone"},
		[]*kerr.Error{kerr.OffsetOutOfRange, kerr.OffsetMovedToTieredStorage}},
	{refusal{redo, "a batch was damaged on its way or in the log", "corrupt"},
		[]*kerr.Error{kerr.CorruptMessage}},
	{refusal{redo, "what the client knows of the cluster is too old", "metadata_stale"},
		[]*kerr.Error{kerr.RebootstrapRequired}},
}

// rejoined are the answers to a member that is one no more.
var rejoined = []answer{
	{refusal{rejoin, "the group has given the member up", "member_gone"},
		[]*kerr.Error{kerr.UnknownMemberID, kerr.FencedMemberEpoch, kerr.GroupIDNotFound}},
	{refusal{rejoin, "the group has gone on to another generation", "generation_over"},
		[]*kerr.Error{kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.StaleMemberEpoch,
			kerr.MemberIDRequired}},
	{refusal{rejoin, "a younger producer has this instance's transactional id: who took its " +
		"partitions over, or a second process of its name", classFenced},
		[]*kerr.Error{kerr.ProducerFenced}},
}

// stopped are the answers that stay the same until somebody changes something.
var stopped = []answer{
	{refusal{stop, "another process has joined with this instance's name: let one process " +
		"only have it, and give each --state-dir to one instance", "instance_twice"},
		[]*kerr.Error{kerr.FencedInstanceID}},
	{refusal{stop, "a record or batch is larger than its topic takes: raise the topic's " +
		"max.message.bytes", "too_large"}, []*kerr.Error{kerr.MessageTooLarge}},
	{refusal{stop, "a batch is larger than a segment of its topic: raise the topic's " +
		"segment.bytes", "too_large"}, []*kerr.Error{kerr.RecordListTooLarge}},
	{refusal{stop, "the topic does not take the record: if records without a key are written " +
		"to it, its cleanup.policy must not be compact", "record_refused"},
		[]*kerr.Error{kerr.InvalidRecord}},
	{refusal{stop, "the topic does not take the record's time: set this machine's clock, or " +
		"raise the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
		"time_refused"}, []*kerr.Error{kerr.InvalidTimestamp}},
	{refusal{stop, "a right on a topic is missing: allow Read and Describe on what is read, " +
		"and Write too on tables and outputs", "unauthorized"},
		[]*kerr.Error{kerr.TopicAuthorizationFailed}},
	{refusal{stop, "a right on the group is missing: allow Read and Describe on the group",
		"unauthorized"}, []*kerr.Error{kerr.GroupAuthorizationFailed}},
	{refusal{stop, "a right on the cluster is missing: allow Describe and IdempotentWrite on " +
		"the cluster", "unauthorized"}, []*kerr.Error{kerr.ClusterAuthorizationFailed}},
	{refusal{stop, "a right on the transactional id is missing: allow Write and Describe on " +
		"all transactional ids that begin with the group's name", "unauthorized"},
		[]*kerr.Error{kerr.TransactionalIDAuthorizationFailed}},
	{refusal{stop, "the broker does not accept who we say we are: look at mechanism, user and " +
		"password", "unauthenticated"},
		[]*kerr.Error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism,
			kerr.IllegalSaslState}},
	{refusal{stop, tooOld, "broker_too_old"}, []*kerr.Error{kerr.UnsupportedVersion,
		kerr.UnsupportedForMessageFormat, kerr.UnsupportedCompressionType}},
	{refusal{stop, "another kind of consumer is in the group: end it, or give it another group",
		"group_taken"}, []*kerr.Error{kerr.InconsistentGroupProtocol, kerr.UnsupportedAssignor}},
	{refusal{stop, "the group has as many members as the brokers allow: run fewer instances, " +
		"or raise the brokers' group.max.size", "group_full"},
		[]*kerr.Error{kerr.GroupMaxSizeReached}},
	{refusal{stop, "the session timeout is not allowed: choose one between the brokers' " +
		"group.min.session.timeout.ms and group.max.session.timeout.ms", "settings"},
		[]*kerr.Error{kerr.InvalidSessionTimeout}},
	{refusal{stop, "the transaction timeout is not allowed: raise the brokers' " +
		"transaction.max.timeout.ms", "settings"},
		[]*kerr.Error{kerr.InvalidTransactionTimeout}},
	{refusal{stop, "the offsets of one commit are too large: raise the brokers' " +
		"offset.metadata.max.bytes and the max.message.bytes of __consumer_offsets",
		"offsets_too_large"},
		[]*kerr.Error{kerr.OffsetMetadataTooLarge, kerr.InvalidCommitOffsetSize}},
	{refusal{stop, "a name of a topic or group is not allowed: choose another",
		"name_refused"}, []*kerr.Error{kerr.InvalidTopicException, kerr.InvalidGroupID}},
	{refusal{stop, "a policy of the cluster forbids the request: ask who runs the cluster",
		"policy"}, []*kerr.Error{kerr.PolicyViolation}},
	{refusal{stop, "the broker does not know the acks of the request: report this as a fault",
		"settings"}, []*kerr.Error{kerr.InvalidRequiredAcks}},
	{refusal{stop, "the address is that of a controller: name the brokers' listeners",
		"wrong_endpoint"},
		[]*kerr.Error{kerr.MismatchedEndpointType, kerr.UnsupportedEndpointType}},
}

// unexpected are the answers to requests that the engine does not send: those of administrators,
// brokers, share groups, Kafka's own Streams groups and telemetry.
var unexpected = []answer{{
	refusal{redo, "an answer to a request that was never sent", "unexpected"},
	[]*kerr.Error{
		kerr.StaleControllerEpoch, kerr.TopicAlreadyExists, kerr.InvalidPartitions,
		kerr.InvalidReplicationFactor, kerr.InvalidReplicaAssignment, kerr.InvalidConfig,
		kerr.TransactionCoordinatorFenced, kerr.SecurityDisabled, kerr.LogDirNotFound,
		kerr.ReassignmentInProgress, kerr.DelegationTokenAuthDisabled,
		kerr.DelegationTokenNotFound, kerr.DelegationTokenOwnerMismatch,
		kerr.DelegationTokenRequestNotAllowed, kerr.DelegationTokenAuthorizationFailed,
		kerr.DelegationTokenExpired, kerr.InvalidPrincipalType, kerr.NonEmptyGroup,
		kerr.TopicDeletionDisabled, kerr.StaleBrokerEpoch, kerr.ElectionNotNeeded,
		kerr.NoReassignmentInProgress, kerr.GroupSubscribedToTopic, kerr.ResourceNotFound,
		kerr.DuplicateResource, kerr.UnacceptableCredential, kerr.InconsistentVoterSet,
		kerr.InvalidUpdateVersion, kerr.FeatureUpdateFailed, kerr.SnapshotNotFound,
		kerr.PositionOutOfRange, kerr.DuplicateBrokerRegistration, kerr.BrokerIDNotRegistered,
		kerr.InconsistentClusterID, kerr.IneligibleReplica, kerr.NewLeaderElected,
		kerr.UnknownControllerID, kerr.UnknownSubscriptionID, kerr.TelemetryTooLarge,
		kerr.InvalidRegistration, kerr.InvalidRecordState, kerr.ShareSessionNotFound,
		kerr.InvalidShareSessionEpoch, kerr.FencedStateEpoch, kerr.InvalidVoterKey,
		kerr.DuplicateVoter, kerr.VoterNotFound, kerr.InvalidRegularExpression,
		kerr.StreamsInvalidTopology, kerr.StreamsInvalidTopologyEpoch,
		kerr.StreamsTopologyFenced, kerr.ShareSessionLimitReached, kerr.GroupDeletionFailed,
		kerr.StreamsTopologyDescriptionUpdateFailed, kerr.ControllerIDNotRegistered,
	},
}}
