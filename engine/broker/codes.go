package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// answer is a class that several error codes share.
type answer struct {
	class Class
	codes []*kerr.Error
}

// tooOld is the reason for brokers that lack a feature which the engine needs.
const tooOld = "a broker does not know the request: exactly_once needs Kafka 4.0 or later with " +
	"transaction.version 2"

// answers are the classes of Kafka's error codes.
var answers = byCode(retries, restarts, rejoins, stops, unexpected)

// byCode is the class of each code in the lists.
func byCode(lists ...[]answer) map[int16]Class {
	m := map[int16]Class{}
	for _, a := range slices.Concat(lists...) {
		for _, code := range a.codes {
			m[code.Code] = a.class
		}
	}
	return m
}

// retries are the codes that decide nothing.
var retries = []answer{
	{Class{Retry, "the connection to a broker broke", "network"},
		[]*kerr.Error{kerr.NetworkException}},
	{Class{Retry, "a broker was not done in its time", "broker_timeout"},
		[]*kerr.Error{kerr.RequestTimedOut}},
	{Class{Retry, "the partition has another leader, or none yet", "leader_moved"},
		[]*kerr.Error{kerr.LeaderNotAvailable, kerr.NotLeaderForPartition,
			kerr.BrokerNotAvailable, kerr.ReplicaNotAvailable, kerr.ListenerNotFound,
			kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.OffsetNotAvailable,
			kerr.PreferredLeaderNotAvailable, kerr.EligibleLeadersNotAvailable}},
	{Class{Retry, "a broker's disk fails, and another broker takes over", "broker_disk"},
		[]*kerr.Error{kerr.KafkaStorageError}},
	{Class{Retry, "the partition has fewer replicas in sync than it must have",
		"replicas_missing"},
		[]*kerr.Error{kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend}},
	{Class{Retry, "the coordinator starts, loads or has moved", "coordinator_moved"},
		[]*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable,
			kerr.NotCoordinator}},
	{Class{Retry, "the controller has moved", "controller_moved"},
		[]*kerr.Error{kerr.NotController}},
	{Class{Retry, "a transaction before this one is still being ended",
		"transaction_pending"},
		[]*kerr.Error{kerr.ConcurrentTransactions, kerr.UnstableOffsetCommit}},
	{Class{Retry, "the topic is gone, or the broker does not know it yet",
		"topic_unknown"}, []*kerr.Error{kerr.UnknownTopicOrPartition}},
	{Class{Retry, "a quota is used up for the moment", "throttled"},
		[]*kerr.Error{kerr.ThrottlingQuotaExceeded}},
	{Class{Retry, "the broker has forgotten the fetch session", "fetch_session"},
		[]*kerr.Error{kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch,
			kerr.FetchSessionTopicIDError}},
	{Class{Retry, "the group still has a member of this instance's name, alive or until its " +
		"session times out", "instance_in_use"}, []*kerr.Error{kerr.UnreleasedInstanceID}},
}

// restarts are the codes after which the transaction cannot be committed.
var restarts = []answer{
	{Class{Restart, "a broker failed without a reason", "server_error"},
		[]*kerr.Error{kerr.UnknownServerError, kerr.PrincipalDeserializationFailure}},
	{Class{Restart, "a broker rejects a request as invalid", "request_refused"},
		[]*kerr.Error{kerr.InvalidRequest, kerr.InvalidFetchSize}},
	{Class{Restart, "the topic was deleted and made again", "topic_recreated"},
		[]*kerr.Error{kerr.UnknownTopicID, kerr.InconsistentTopicID}},
	{Class{Restart, "the transaction timed out, or another producer has its id",
		"producer_epoch"}, []*kerr.Error{kerr.InvalidProducerEpoch}},
	{Class{Restart, "the transaction timed out or failed, and can only be aborted",
		"transaction_lost"},
		[]*kerr.Error{kerr.InvalidTxnState, kerr.TransactionAbortable,
			kerr.OperationNotAttempted}},
	{Class{Restart, "the cluster has forgotten the producer", "producer_lost"},
		[]*kerr.Error{kerr.InvalidProducerIDMapping, kerr.UnknownProducerID,
			kerr.TransactionalIDNotFound}},
	{Class{Restart, "the numbers of the producer's batches have a gap: batches were lost or " +
		"overtook each other", "sequence"},
		[]*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.DuplicateSequenceNumber}},
	{Class{Restart, "records were deleted before they were read, or the log was cut",
		"offset_gone"},
		[]*kerr.Error{kerr.OffsetOutOfRange, kerr.OffsetMovedToTieredStorage}},
	{Class{Restart, "a batch was damaged on its way or in the log", "corrupt"},
		[]*kerr.Error{kerr.CorruptMessage}},
	{Class{Restart, "what the client knows of the cluster is too old", "metadata_stale"},
		[]*kerr.Error{kerr.RebootstrapRequired}},
}

// rejoins are the codes for a member that the group has removed.
var rejoins = []answer{
	{Class{Rejoin, "the group has removed the member", "member_gone"},
		[]*kerr.Error{kerr.UnknownMemberID, kerr.FencedMemberEpoch, kerr.GroupIDNotFound}},
	{Class{Rejoin, "the group has gone on to another generation", "generation_over"},
		[]*kerr.Error{kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.StaleMemberEpoch,
			kerr.MemberIDRequired}},
	{Class{Rejoin, "a younger producer has this instance's transactional id: the new owner of " +
		"its partitions, or a second process of its name", "fenced"},
		[]*kerr.Error{kerr.ProducerFenced}},
}

// stops are the codes that stay the same until an operator changes something.
var stops = []answer{
	{Class{Stop, "another process has joined with this instance's name: let one process " +
		"only have it, and give each --state-dir to one instance", "instance_twice"},
		[]*kerr.Error{kerr.FencedInstanceID}},
	{Class{Stop, "a record or batch is larger than its topic takes: raise the topic's " +
		"max.message.bytes", "too_large"}, []*kerr.Error{kerr.MessageTooLarge}},
	{Class{Stop, "a batch is larger than a segment of its topic: raise the topic's " +
		"segment.bytes", "too_large"}, []*kerr.Error{kerr.RecordListTooLarge}},
	{Class{Stop, "the topic does not take the record: if records without a key are written " +
		"to it, its cleanup.policy must not be compact", "record_refused"},
		[]*kerr.Error{kerr.InvalidRecord}},
	{Class{Stop, "the topic does not take the record's time: set this machine's clock, or " +
		"raise the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
		"time_refused"}, []*kerr.Error{kerr.InvalidTimestamp}},
	{Class{Stop, "a right on a topic is missing: allow Read and Describe on what is read, " +
		"and Write too on tables and outputs", "unauthorized"},
		[]*kerr.Error{kerr.TopicAuthorizationFailed}},
	{Class{Stop, "a right on the group is missing: allow Read and Describe on the group",
		"unauthorized"}, []*kerr.Error{kerr.GroupAuthorizationFailed}},
	{Class{Stop, "a right on the cluster is missing: allow Describe and IdempotentWrite on " +
		"the cluster", "unauthorized"}, []*kerr.Error{kerr.ClusterAuthorizationFailed}},
	{Class{Stop, "a right on the transactional id is missing: allow Write and Describe on " +
		"all transactional ids that begin with the group's name", "unauthorized"},
		[]*kerr.Error{kerr.TransactionalIDAuthorizationFailed}},
	{Class{Stop, "the broker does not accept this user: look at mechanism, user and " +
		"password", "unauthenticated"},
		[]*kerr.Error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism,
			kerr.IllegalSaslState}},
	{Class{Stop, tooOld, "broker_too_old"}, []*kerr.Error{kerr.UnsupportedVersion,
		kerr.UnsupportedForMessageFormat, kerr.UnsupportedCompressionType}},
	{Class{Stop, "another kind of consumer is in the group: end it, or give it another group",
		"group_taken"}, []*kerr.Error{kerr.InconsistentGroupProtocol, kerr.UnsupportedAssignor}},
	{Class{Stop, "the group has as many members as the brokers allow: run fewer instances, " +
		"or raise the brokers' group.max.size", "group_full"},
		[]*kerr.Error{kerr.GroupMaxSizeReached}},
	{Class{Stop, "the session timeout is not allowed: choose one between the brokers' " +
		"group.min.session.timeout.ms and group.max.session.timeout.ms", "settings"},
		[]*kerr.Error{kerr.InvalidSessionTimeout}},
	{Class{Stop, "the transaction timeout is not allowed: raise the brokers' " +
		"transaction.max.timeout.ms", "settings"},
		[]*kerr.Error{kerr.InvalidTransactionTimeout}},
	{Class{Stop, "the offsets of one commit are too large: raise the brokers' " +
		"offset.metadata.max.bytes and the max.message.bytes of __consumer_offsets",
		"offsets_too_large"},
		[]*kerr.Error{kerr.OffsetMetadataTooLarge, kerr.InvalidCommitOffsetSize}},
	{Class{Stop, "a name of a topic or group is not allowed: choose another",
		"name_refused"}, []*kerr.Error{kerr.InvalidTopicException, kerr.InvalidGroupID}},
	{Class{Stop, "a policy of the cluster forbids the request: ask who runs the cluster",
		"policy"}, []*kerr.Error{kerr.PolicyViolation}},
	{Class{Stop, "the broker does not know the acks of the request: report this as a fault",
		"settings"}, []*kerr.Error{kerr.InvalidRequiredAcks}},
	{Class{Stop, "the address is that of a controller: name the brokers' listeners",
		"wrong_endpoint"},
		[]*kerr.Error{kerr.MismatchedEndpointType, kerr.UnsupportedEndpointType}},
}

// unexpected are the codes of requests that the engine does not send: those of administrators,
// brokers, share groups, Kafka's own Streams groups and telemetry.
var unexpected = []answer{{
	Class{Restart, "the response to a request that the engine does not send", "unexpected"},
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
