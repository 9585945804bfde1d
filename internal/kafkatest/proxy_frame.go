package kafkatest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The layout of a frame: length, and in a request key, version and correlation id, in an answer
// the correlation id.
const (
	frameLength   = 4
	frameMax      = 128 << 20
	requestHeader = frameLength + 8
	answerHeader  = frameLength + 4
	produceKey    = 0
)

// answerFault is an answer that replaces the broker's own.
type answerFault struct {
	request *kmsg.ProduceRequest
	err     *kerr.Error
}

// readFrame reads a frame with its length.
func readFrame(from net.Conn) ([]byte, error) {
	length := make([]byte, frameLength)
	if _, err := io.ReadFull(from, length); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length)
	if n > frameMax {
		return nil, fmt.Errorf("frame of %d bytes, at most %d are taken", n, frameMax)
	}
	frame := make([]byte, frameLength+int(n))
	copy(frame, length)
	_, err := io.ReadFull(from, frame[frameLength:])
	return frame, err
}

// request hands a request on to the broker, or answers it itself.
func (l *link) request(frame []byte) error {
	if len(frame) >= requestHeader && binary.BigEndian.Uint16(frame[frameLength:]) == produceKey {
		if f, ok := l.p.fault(); ok {
			return l.failProduce(frame, f)
		}
	}
	return l.forward(frame)
}

func (l *link) forward(frame []byte) error {
	l.mu.Lock()
	l.waiting++
	l.mu.Unlock()
	_, err := l.server.Write(frame)
	return err
}

// response hands an answer on to the client, or another in its place.
func (l *link) response(frame []byte) error {
	defer l.done()
	if len(frame) >= answerHeader {
		id := int32(binary.BigEndian.Uint32(frame[frameLength:]))
		l.mu.Lock()
		fault, ok := l.answers[id]
		delete(l.answers, id)
		l.mu.Unlock()
		if ok {
			frame = fault.frame(id)
		}
	}
	_, err := l.client.Write(frame)
	return err
}

// failProduce answers a write with an error: at once, or when the broker has done it.
func (l *link) failProduce(frame []byte, f ProduceFault) error {
	request, id, err := readProduce(frame)
	if err != nil {
		return err
	}
	fault := answerFault{request: request, err: f.Err}
	if f.Applied {
		l.mu.Lock()
		l.answers[id] = fault
		l.mu.Unlock()
		return l.forward(frame)
	}
	if err := l.drained(); err != nil {
		return err
	}
	_, err = l.client.Write(fault.frame(id))
	return err
}

// readProduce reads a write and its correlation id.
func readProduce(frame []byte) (*kmsg.ProduceRequest, int32, error) {
	request := kmsg.NewPtrProduceRequest()
	b := kbin.Reader{Src: frame[frameLength+2:]} // the key is known
	request.SetVersion(b.Int16())
	id := b.Int32()
	b.NullableString() // the client's id
	if request.IsFlexible() {
		kmsg.SkipTags(&b)
	}
	if err := b.Complete(); err != nil {
		return nil, 0, fmt.Errorf("read header of a write: %w", err)
	}
	if err := request.ReadFrom(b.Src); err != nil {
		return nil, 0, fmt.Errorf("read a write: %w", err)
	}
	return request, id, nil
}

// frame is the answer: the error for each partition of the write.
func (f answerFault) frame(id int32) []byte {
	response := kmsg.NewPtrProduceResponse()
	response.SetVersion(f.request.GetVersion())
	for _, t := range f.request.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition, partition.ErrorCode = p.Partition, f.err.Code
			partition.BaseOffset = -1
			topic.Partitions = append(topic.Partitions, partition)
		}
		response.Topics = append(response.Topics, topic)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, frameLength), uint32(id))
	if response.IsFlexible() {
		frame = append(frame, 0) // no tags
	}
	frame = response.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameLength))
	return frame
}
