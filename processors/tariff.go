package processors

import (
	"fmt"

	"chargestream"
	"chargestream/engine"
	"chargestream/pricing"
	"chargestream/tables"
	"chargestream/topics"
)

// Tariffs keeps every tariff with its history: bills are computed by what was known at a moment,
// whenever they are computed. A tariff that does not parse never becomes reference data: it is a
// dead letter, and the last good one stays.
func Tariffs(count Counter) *engine.Processor {
	f := &tariffFold{count: orSilent(count), tariffs: &engine.Table[tables.Tariff]{
		Name: topics.TableTariffs,
		Decode: func(_ string, row []byte) (*tables.Tariff, error) {
			return tables.DecodeTariff(row)
		},
		Append: func(buf []byte, t *tables.Tariff) []byte { return t.Append(buf) },
	}}
	return &engine.Processor{
		Group:   topics.GroupTariffs,
		Inputs:  []string{topics.Tariffs},
		Tables:  []engine.Declared{f.tariffs},
		Layout:  tables.Layout,
		Outputs: []engine.Output{{Topic: topics.DeadLetters}},
		Fold:    f.fold,
	}
}

type tariffFold struct {
	count   Counter
	tariffs *engine.Table[tables.Tariff]
}

// fold adds a revision to the history of a tariff, or keeps the record as a dead letter.
func (f *tariffFold) fold(ctx *engine.Context, m *engine.Message) error {
	if reason, err := checkKey(m); reason != "" {
		deadLetter(ctx, f.count, m, reason, err)
		return nil
	}
	var versions []chargestream.TariffVersion
	if m.Value != nil {
		history, err := readTariff(m)
		if err != nil {
			deadLetter(ctx, f.count, m, ReasonTariffRefused, err)
			return nil
		}
		versions = history.Versions
	}
	known, err := f.tariffs.Get(ctx, m.Key)
	if err != nil {
		return err
	}
	next := tables.Tariff{}
	if known != nil {
		next = *known
	}
	changed, err := next.Add(chargestream.Millis(m.Arrival), versions)
	if err != nil {
		refuse(ctx, f.count, m, err)
	}
	if !changed {
		return nil
	}
	row, err := f.tariffs.Edit(ctx, m.Key)
	if err != nil {
		return err
	}
	*row = next
	return nil
}

func readTariff(m *engine.Message) (*chargestream.TariffHistory, error) {
	if len(m.Value) > topics.RecordBytesMax {
		return nil, oversized(m)
	}
	history, err := pricing.ParseHistory(m.Value)
	if err == nil && string(history.TariffID) != m.Key {
		err = fmt.Errorf("key %q, tariff_id %q: tariffs are keyed by tariff_id", clip(m.Key),
			history.TariffID)
	}
	return history, err
}
