package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recognise classifies one error, without what it wraps.
//
//nolint:errorlint // one layer at a time: search.look visits what is wrapped
func recognise(err error) []finding {
	if code, ok := codeOf(err); ok {
		return ofCode(code)
	}
	if f, ok := ofType(err); ok {
		return []finding{f}
	}
	for _, s := range sentinels {
		if slices.Contains(s.errs, err) || slices.Contains(s.texts, err.Error()) {
			return []finding{{s.class, s.standing}}
		}
	}
	if hidden, ok := err.(interface{ Is(error) bool }); ok {
		return ofHidden(hidden)
	}
	return ofText(err.Error())
}

// notListed ends franz-go's errors for a broker that is down: another one names it as coordinator
// or controller and does not list it any more.
const notListed = " but did not reply with that broker in the broker list"

// gokaConnects is in goka's errors for a processor or a view that it cannot make as it reaches no
// broker; it keeps the text only of what is wrong.
const gokaConnects = "Error creating topic manager: "

// ofText classifies errors of franz-go whose types are not exported and whose texts have a name or
// a number in them, and those of which goka has kept the text only.
func ofText(text string) []finding {
	switch {
	case strings.Contains(text, gokaConnects) &&
		(strings.Contains(text, "cannot connect to broker") ||
			strings.Contains(text, sarama.ErrOutOfBrokers.Error())):
		return []finding{{unreachable, cause}}
	case strings.HasPrefix(text, "broker replied that the controller broker is "):
		return ofCode(kerr.NotController.Code)
	case strings.HasPrefix(text, "broker replied ") && strings.HasSuffix(text, notListed):
		return ofCode(kerr.NotCoordinator.Code)
	}
	return nil
}

// codeOf is the error code of a broker's response.
//
//nolint:errorlint // one layer at a time: search.look visits what is wrapped
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
		return []finding{{unknown, unrecognised}}
	case code == kerr.OperationNotAttempted.Code:
		return []finding{{r, consequence}}
	}
	return []finding{{r, cause}}
}

// ofHidden classifies an error that has Is but no Unwrap, such as sarama's sentinelError.
func ofHidden(err interface{ Is(error) bool }) []finding {
	var found []finding
	for code, r := range answers {
		if err.Is(sarama.KError(code)) {
			found = append(found, finding{r, cause})
		}
	}
	for _, s := range sentinels {
		if slices.ContainsFunc(s.errs, err.Is) {
			found = append(found, finding{s.class, s.standing})
		}
	}
	return found
}

// ofType classifies an error by its type.
//
//nolint:errorlint // one layer at a time: search.look visits what is wrapped
func ofType(err error) (finding, bool) {
	switch e := err.(type) {
	case syscall.Errno:
		return ofErrno(e)
	case *fs.PathError:
		return finding{noPermission, cause}, errors.Is(e, fs.ErrPermission)
	case *kgo.ErrDataLoss:
		return finding{Class{Restart, "acknowledged records were lost by the cluster: " +
			e.Error(), "data_loss"}, cause}, true
	case *kgo.ErrGroupSession:
		return finding{outOfGroup, consequence}, true
	case *kgo.ErrFirstReadEOF:
		return finding{closedAtOnce, cause}, true
	case *kgo.ErrDecompressTooLarge:
		return finding{Class{Stop, fmt.Sprintf("%s/%d has a batch at offset %d that is too "+
			"large to be read: have the producer write smaller ones", e.Topic, e.Partition,
			e.Offset), "unreadable"}, cause}, true
	case *tls.CertificateVerificationError:
		return finding{notTrusted, cause}, true
	case sarama.ConfigurationError:
		return finding{Class{Stop, "the client rejects its settings: correct " + string(e),
			"settings"}, cause}, true
	case sarama.PacketDecodingError, sarama.PacketEncodingError:
		return finding{notUnderstood, cause}, true
	case net.Error:
		return finding{unreachable, cause}, err != context.DeadlineExceeded // which is one too
	}
	return finding{}, false
}

// ofErrno classifies errors of the operating system, for disks and connections.
func ofErrno(e syscall.Errno) (finding, bool) {
	switch e {
	case syscall.ENOSPC, syscall.EDQUOT:
		return finding{diskFull, cause}, true
	case syscall.EROFS, syscall.EIO:
		return finding{diskBroken, cause}, true
	case syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE,
		syscall.ENOTCONN, syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.EHOSTDOWN,
		syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL:
		return finding{unreachable, cause}, true
	}
	return finding{}, false
}

// Classes of errors that are not error codes of a broker.
var (
	unknown      = Class{Restart, "an error that is in no table", "unknown"}
	unreachable  = Class{Retry, "a broker is down or the way to it is broken", "network"}
	noPermission = Class{Stop, "files of the state directory may not be used: give this user the " +
		"right to read and write them", "local_disk"}
	diskFull = Class{Stop, "the disk of the state directory is full: make room, or name " +
		"another state directory", "local_disk"}
	diskBroken = Class{Stop, "the disk of the state directory cannot be read or written: name " +
		"another state directory", "local_disk"}
	outOfGroup   = Class{Rejoin, "the client has lost its place in the group", "member_gone"}
	closedAtOnce = Class{Restart, "a broker closed the connection at once: it is going down, or " +
		"one side speaks TLS or SASL and the other does not", "closed_at_once"}
	notTrusted = Class{Stop, "a broker's certificate is not trusted: look at its authority, " +
		"its names and its dates", "untrusted"}
	notUnderstood = Class{Restart, "a message of the protocol could not be read or written",
		"protocol"}
	outOfTime    = Class{Restart, "the time limit of the work is over", "timeout"}
	workEnded    = Class{Restart, "the work was cancelled", "cancelled"}
	clientClosed = Class{Restart, "the client is closed or closing", "closed"}
)

// sentinel is the class of errors that are values; texts are those that are not exported.
type sentinel struct {
	class    Class
	standing standing
	errs     []error
	texts    []string
}

// sentinels are the errors of the clients and of the standard library.
var sentinels = []sentinel{
	{workEnded, deadline, []error{context.Canceled}, nil},
	{outOfTime, deadline, []error{context.DeadlineExceeded}, nil},
	{unreachable, cause, []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
		sarama.ErrOutOfBrokers, sarama.ErrBrokerNotFound, sarama.ErrNotConnected,
		sarama.ErrControllerNotAvailable},
		[]string{
			// Of go-resiliency, which sarama's producer uses and this module does not require.
			"circuit breaker is open",
			// Of franz-go: a broker that is not in the metadata any more, a connection that ended
			// with requests under way, and the response to another request.
			"unknown broker", "the broker connection has died and the request will be retried " +
				"on a new connection", "correlation ID mismatch"}},
	{Class{Restart, "what the client knows of the cluster is too old", "metadata_stale"}, cause,
		nil, []string{"metadata update is missing a partition that we were previously using"}},
	{clientClosed, consequence, []error{kgo.ErrClientClosed, sarama.ErrClosedClient,
		sarama.ErrClosedConsumerGroup, sarama.ErrShuttingDown}, nil},
	{Class{Restart, "buffered records were thrown away by an abort", "aborted"}, consequence,
		[]error{kgo.ErrAborting}, nil},
	{Class{Restart, "records could not be written in the time or number of tries they have",
		"undelivered"}, consequence, []error{kgo.ErrRecordTimeout, kgo.ErrRecordRetries}, nil},
	{Class{Retry, "the producer holds as many records as it may", "buffer_full"}, cause,
		[]error{kgo.ErrMaxBuffered}, nil},
	{Class{Stop, "a batch is too large to be read: have the producer write smaller ones",
		"unreadable"}, cause, []error{kgo.ErrMaxDecompress, sarama.ErrMessageTooLarge,
		sarama.ErrDecompressedBatchTooLarge},
		[]string{"response exceeds BrokerMaxReadBytes"}},
	{Class{Stop, tooOld, "broker_too_old"}, cause, nil, []string{"broker is too old; the " +
		"broker has already indicated it will not know how to handle the request"}},
	{notUnderstood, cause, []error{sarama.ErrIncompleteResponse, sarama.ErrInsufficientData,
		sarama.ErrConsumerOffsetNotAdvanced}, nil},
	{outOfGroup, consequence, []error{sarama.ErrConsumerRetriesExhausted,
		sarama.ErrSessionHeartbeatFailed, sarama.ErrRebalanceTimedOut}, nil},
}
