package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/topics"
)

// The topics of Count.
const (
	CountGroup  = "count"
	CountInput  = "count-in"
	CountOutput = "counts"
)

// Counted is what Count tells of one record.
type Counted struct {
	Key    string `json:"key"`
	N      int64  `json:"n"`
	Sum    int64  `json:"sum"`
	Offset int64  `json:"offset"` // of the record that was counted
}

// Count is a processor whose rows forgive nothing: it counts the records of each key and adds up
// their numbers, and tells both for each record. A record that is folded twice, or not at all, or
// out of turn, shows in everything that comes after it. What is no number adds nothing.
func Count() *engine.Processor {
	return &engine.Processor{Group: CountGroup, Inputs: []string{CountInput},
		Outputs: []string{CountOutput}, Fold: foldCount}
}

func foldCount(ctx engine.Context, m *engine.Message) error {
	row, err := ctx.Row()
	if err != nil {
		return err
	}
	var now Counted
	if row != nil {
		if err := json.Unmarshal(row, &now); err != nil {
			return fmt.Errorf("row %q: %w", ctx.Key(), err)
		}
	}
	number, err := strconv.ParseInt(string(m.Value), 10, 64)
	if errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		number = 0
	}
	now.Key, now.N, now.Sum, now.Offset = ctx.Key(), now.N+1, now.Sum+number, m.Offset
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	ctx.SetRow(text)
	ctx.Emit(CountOutput, ctx.Key(), text)
	return nil
}

// ExpectCounts is what Count must have told, record by record, and the rows of its table: counted
// from the input as it lies there, and not by way of the processor. A partition of the output has
// one writer, so its order is that of the input.
func ExpectCounts(log Log, partitions int32) (map[Place][][]Record, map[string][]byte, error) {
	want, rows := map[Place][][]Record{}, map[string][]byte{}
	for p := range partitions {
		var told []Record
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
			told = append(told, Record{Topic: CountOutput, Partition: p, Offset: -1, Key: r.Key,
				HasKey: true, Value: text,
				Headers: []engine.Header{ArrivalHeader(engine.ArrivalOf(r.Headers, r.Timestamp))}})
		}
		want[Place{CountOutput, p}] = [][]Record{told}
	}
	return want, rows, nil
}

// ArrivalHeader is the header that everything emitted carries: the arrival time, in ms, of what
// was folded.
func ArrivalHeader(ms int64) engine.Header {
	return engine.Header{Key: topics.HeaderArrival, Value: []byte(chargestream.Millis(ms).String())}
}
