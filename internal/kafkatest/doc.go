// Package kafkatest holds the brokers that tests run against, and small probes that look at a
// broker from outside: what lies in a topic, where it ends, how far a group has come.
//
// There are three brokers behind one interface. Plain `go test` gets an in-process fake, which
// needs neither network nor Java. With the build tag `integration` it gets a real Apache Kafka
// started from the jars of `make kafka-jars`, of as many nodes as CHARGESTREAM_TEST_NODES says.
// With CHARGESTREAM_TEST_BROKERS set it gets the cluster named there. The probes take addresses
// and return errors, so they serve programs too; what needs a testing.TB is in testing.go.
//
// It refuses to know goka, sarama, the engine and every charging word: it judges them from the
// outside, so it shares no code with them.
package kafkatest
