package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"chargestream"
	"chargestream/engine"
	"chargestream/topics"
)

// The topics of Count.
const (
	CountGroup  = "count"
	CountInput  = "count-in"
	CountOutput = "counts"
)

// Counted is what Count sends for one record.
type Counted struct {
	Key    string `json:"key"`
	N      int64  `json:"n"`
	Sum    int64  `json:"sum"`
	Offset int64  `json:"offset"` // of the record that was counted
}

// Count is a processor whose rows forgive nothing: it counts the records of each key and adds up
// their numbers, and sends both for each record. A record that is folded twice, or not at all, or
// out of turn, shows in everything that comes after it. What is no number adds nothing.
func Count() *engine.Processor {
	rows := &engine.Table[Counted]{Name: CountGroup, Decode: decodeCounted, Append: appendCounted}
	return &engine.Processor{Group: CountGroup, Inputs: []string{CountInput},
		Tables: []engine.Declared{rows}, Outputs: []engine.Output{{Topic: CountOutput}},
		Fold: func(ctx *engine.Context, m *engine.Message) error {
			row, err := rows.Edit(ctx, m.Key)
			if err != nil {
				return err
			}
			row.add(m.Key, m.Value, m.Offset)
			ctx.Emit(CountOutput, m.Key, appendCounted(nil, row))
			return nil
		}}
}

func decodeCounted(_ string, row []byte) (*Counted, error) {
	c := &Counted{}
	return c, json.Unmarshal(row, c)
}

// appendCounted writes JSON: a key that is no UTF-8 is of no test.
func appendCounted(buf []byte, c *Counted) []byte {
	return fmt.Appendf(buf, `{"key":%q,"n":%d,"sum":%d,"offset":%d}`, c.Key, c.N, c.Sum, c.Offset)
}

func (c *Counted) add(key string, value []byte, offset int64) {
	number, err := strconv.ParseInt(string(value), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		number = 0
	}
	c.Key, c.N, c.Sum, c.Offset = key, c.N+1, c.Sum+number, offset
}

// ExpectCounts is what Count must have sent, record by record, and the rows of its table: counted
// from the input as it lies there, and not by way of the processor. A partition of the output has
// one writer, so its order is that of the input.
func ExpectCounts(log Log, partitions int32) (map[Place][][]Record, map[string][]byte, error) {
	want, rows := map[Place][][]Record{}, map[string][]byte{}
	for p := range partitions {
		var sent []Record
		n, sum := map[string]int64{}, map[string]int64{}
		for _, r := range log[Place{CountInput, p}] {
			if !Home(&r, partitions) {
				continue
			}
			n[r.Key]++
			if number, err := strconv.ParseInt(string(r.Value), 10, 64); err == nil {
				sum[r.Key] += number
			}
			text, err := json.Marshal(Counted{r.Key, n[r.Key], sum[r.Key], r.Offset})
			if err != nil {
				return nil, nil, err
			}
			rows[r.Key] = text
			sent = append(sent, Record{Topic: CountOutput, Partition: p, Offset: -1, Key: r.Key,
				HasKey: true, Value: text,
				Headers: []engine.Header{ArrivalHeader(engine.ArrivalOf(r.Headers, r.Timestamp))}})
		}
		want[Place{CountOutput, p}] = [][]Record{sent}
	}
	return want, rows, nil
}

// ArrivalHeader is the header that everything emitted carries: the arrival time, in ms, of what
// was folded.
func ArrivalHeader(ms int64) engine.Header {
	return engine.Header{Key: topics.HeaderArrival, Value: []byte(chargestream.Millis(ms).String())}
}
