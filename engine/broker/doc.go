// Package broker decides what an error of a Kafka broker, of the connection to it or of the local
// disk means for a processor. Every error has a [Class]: the [Decision], a name that is fit for a
// metric's label, and the reason. [Classify] finds the class of any error that franz-go, sarama or
// the operating system returns:
//
//	switch class := broker.Classify(err); class.Decision {
//	case broker.Retry: // send the same request again after a pause
//	case broker.Restart: // abort the transaction, continue from what is committed
//	case broker.Rejoin: // the same, beginning with the consumer group
//	case broker.Stop: // end, and report class.Reason, which names the remedy
//	}
//
// codes.go lists every error code of the Kafka protocol, recognise.go every other error.
// docs/decisions/0007-broker-errors.md gives the grounds, and a test compares its table with the
// code. In kgo the same question is answered by isRetryableBrokerErr, in Kafka Streams by the
// exceptions TaskMigratedException, TaskCorruptedException and StreamsException.
package broker
