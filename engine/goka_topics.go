package engine

import (
	"fmt"
	"hash"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// buildTopicManager is goka's TopicManagerBuilder.
func (i *instance) buildTopicManager(brokers []string) (goka.TopicManager, error) {
	m, err := topicManager(brokers)
	if err != nil {
		return nil, err
	}
	return &tableTopics{m, i}, nil
}

// tableTopics is goka's view of topics. Of the processor's own table it shows what the store has,
// so that goka finds nothing to restore.
type tableTopics struct {
	goka.TopicManager
	i *instance
}

// GetOffset implements goka.TopicManager. goka asks for the oldest and the newest offset, and
// restores what lies between the store's offset and the newest.
func (t *tableTopics) GetOffset(topic string, partition int32, at int64) (int64, error) {
	if topic != t.i.p.Table() {
		return t.TopicManager.GetOffset(topic, partition, at)
	}
	p := t.i.activePartition(partition)
	if p == nil {
		return 0, fmt.Errorf("table of partition %d is not open", partition)
	}
	return p.store.Offset(0) + 1, nil
}

// topicManager is goka's access to topics. The topics of a processor exist before it runs; goka
// only reads their metadata.
func topicManager(brokers []string) (goka.TopicManager, error) {
	t := goka.NewTopicManagerConfig()
	t.Table.Replication, t.Stream.Replication = 1, 1
	return goka.NewTopicManager(brokers, saramaConfig(), t)
}

// protocol is the Kafka version that sarama speaks: old enough for every broker that is still
// supported.
var protocol = sarama.V2_7_0_0

// saramaConfig is the configuration of sarama, through which goka reads metadata. Its retries
// outlast the restart of a broker.
func saramaConfig() *sarama.Config {
	s := goka.DefaultConfig()
	s.Version = protocol
	s.Metadata.Retry.Max, s.Metadata.Retry.Backoff = 120, 250*time.Millisecond
	return s
}

// buildProducer is goka's ProducerBuilder.
func (i *instance) buildProducer([]string, string, func() hash.Hash32) (goka.Producer, error) {
	return producer{i}, nil
}

// producer is goka's Producer. Folds do not use it.
type producer struct{ i *instance }

// Emit implements goka.Producer.
func (p producer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer. It returns an error: what goka sends would not be part
// of a commit.
func (p producer) EmitWithHeaders(topic, _ string, _ []byte, _ goka.Headers) *goka.Promise {
	_, finish := goka.NewPromiseWithFinisher()
	return finish(nil, fmt.Errorf("%w: %q is written past the engine", ErrDeclaration, topic))
}

// Close implements goka.Producer.
func (p producer) Close() error { return nil }
