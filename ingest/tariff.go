package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"chargestream/pricing"
	"chargestream/topics"
)

// ErrTariffs is wrapped by every error of ReadTariffs.
var ErrTariffs = errors.New("file of tariffs")

// ReadTariffs reads tariff histories: one JSON object after another, or lists of them. Fields
// beside the versions that are not known are kept, as others may read the topic. A tariff_id that
// comes twice is an error: the topic holds one history a tariff. So is a version that pricing does
// not understand, as nobody could bill by it.
func ReadTariffs(text []byte) ([]Record, error) {
	var records []Record
	seen := map[string]bool{}
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: byte %d: %w", ErrTariffs, decoder.InputOffset(), err)
		}
		list := []json.RawMessage{value}
		if value[0] == '[' {
			if err := json.Unmarshal(value, &list); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrTariffs, err)
			}
		}
		for _, history := range list {
			record, err := tariffRecord(history)
			if err != nil {
				return nil, fmt.Errorf("%w: entry %d: %w", ErrTariffs, len(records)+1, err)
			}
			if seen[record.Key] {
				return nil, fmt.Errorf("%w: tariff_id %q comes twice", ErrTariffs, record.Key)
			}
			seen[record.Key] = true
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%w: it holds no tariff", ErrTariffs)
	}
	return records, nil
}

func tariffRecord(value json.RawMessage) (Record, error) {
	history, err := pricing.ParseHistory(value)
	if err != nil {
		return Record{}, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return Record{}, err
	}
	if compact.Len() > topics.RecordBytesMax {
		return Record{}, fmt.Errorf("%d bytes, at most %d are allowed", compact.Len(),
			topics.RecordBytesMax)
	}
	return Record{Topic: topics.Tariffs, Key: string(history.TariffID),
		Value: compact.Bytes()}, nil
}
