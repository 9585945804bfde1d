// Package task is the work of one partition: it takes records one at a time, keeps the rows of
// several tables as Go values, fires timers in stream time and hands over, at each commit, the
// rows that changed and the records to send. It is pure: no broker, disk, clock or goroutine. The
// same records, in the same order and with the same commits, give the same rows and the same
// output, whatever is behind it. Kafka Streams calls the same thing a StreamTask, and its
// TopologyTestDriver is the Driver here.
package task
