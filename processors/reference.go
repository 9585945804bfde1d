package processors

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"chargestream"
	"chargestream/internal/engine"
	"chargestream/pricing"
	"chargestream/tables"
	"chargestream/topics"
)

// Reference keeps reference data with its history: what the registry and the tariffs said, and from
// when on. Bills are computed by what was known at a moment, whenever they are computed.
//
// What nobody could bill by never becomes reference data: it is a dead letter, and the last good
// revision stays. Whether a time zone is known is looked up in the zones of the host, else in those
// within the program.
func Reference(count Counter) *engine.Processor {
	f := &referenceFold{count: orSilent(count)}
	return &engine.Processor{
		Group:   topics.GroupReference,
		Inputs:  []string{topics.Stations, topics.Tariffs},
		Outputs: []string{topics.DeadLetters},
		Fold:    f.fold,
	}
}

// ReferenceSources are the Sources of whoever looks reference data up: its table, and the topics
// that it is made of.
func ReferenceSources() map[string][]string {
	return map[string][]string{
		topics.Table(topics.GroupReference): {topics.Stations, topics.Tariffs}}
}

type referenceFold struct{ count Counter }

// fold adds a revision to the row of a record's key, or keeps the record as a dead letter.
func (f *referenceFold) fold(ctx engine.Context, m *engine.Message) error {
	if !m.HasKey || m.Key == "" {
		deadLetter(ctx, f.count, m, ReasonNullKey,
			errors.New("reference data is keyed by its station_id or tariff_id"))
		return nil
	}
	row := &tables.Reference{}
	raw, err := ctx.Row()
	if err == nil && raw != nil {
		row, err = tables.DecodeReference(raw)
	}
	if err != nil {
		return fmt.Errorf("reference data %q: %w", ctx.Key(), err)
	}
	changed, reason, cause := addReference(row, m)
	switch {
	case reason != "":
		deadLetter(ctx, f.count, m, reason, cause)
	case changed:
		ctx.SetRow(row.Append(nil))
	}
	switch {
	case errors.Is(cause, tables.ErrReferenceBytes):
		f.count.Bound("reference_bytes")
	case errors.Is(cause, tables.ErrReferenceRevisions):
		f.count.Bound("reference_revisions")
	}
	return nil
}

// addReference adds a record to the row of its key. A reason means that it is a dead letter.
func addReference(row *tables.Reference, m *engine.Message) (changed bool, reason Reason,
	err error) {
	arrival := chargestream.Millis(m.Arrival)
	if m.Topic == topics.Stations {
		info, reason, err := readRegistry(m)
		if reason != "" {
			return false, reason, err
		}
		changed, err = row.AddRegistry(arrival, info)
		return changed, boundOf(err), err
	}
	var versions []chargestream.TariffVersion
	if m.Value != nil {
		history, err := readTariff(m)
		if err != nil {
			return false, ReasonTariffRefused, err
		}
		versions = history.Versions
	}
	changed, err = row.AddTariff(arrival, versions)
	return changed, boundOf(err), err
}

// boundOf is the reason of an error of a row that is full.
func boundOf(err error) Reason {
	if err != nil {
		return ReasonBound
	}
	return ""
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

func oversized(m *engine.Message) error {
	return fmt.Errorf("%d bytes, at most %d are taken", len(m.Value), topics.RecordBytesMax)
}

// readRegistry reads an entry of the registry; nil where it was taken out.
func readRegistry(m *engine.Message) (*chargestream.StationInfo, Reason, error) {
	if m.Value == nil {
		return nil, "", nil
	}
	if len(m.Value) > topics.RecordBytesMax {
		return nil, ReasonOversized, oversized(m)
	}
	var info *chargestream.StationInfo
	if err := json.Unmarshal(m.Value, &info); err != nil {
		return nil, ReasonMalformed, err
	}
	if info == nil {
		return nil, ReasonMalformed, errors.New("is null, and no entry of the registry")
	}
	if string(info.StationID) != m.Key {
		return nil, ReasonKeyMismatch, fmt.Errorf("key %q, station_id %q: %w", clip(m.Key),
			clip(string(info.StationID)), errNoKey)
	}
	if err := checkRegistry(info); err != nil {
		return nil, ReasonMalformed, err
	}
	return info, "", nil
}

// ratingMax bounds the rating of a station or connector: a gigawatt.
const ratingMax chargestream.Watts = 1_000_000_000

// checkRegistry refuses an entry by which nobody could bill: each error names the field.
func checkRegistry(info *chargestream.StationInfo) error {
	problems := []error{checkID("station_id", string(info.StationID))}
	if info.TariffID != "" {
		problems = append(problems, checkID("tariff_id", string(info.TariffID)))
	}
	if info.SiteID != "" {
		problems = append(problems, checkID("site_id", string(info.SiteID)))
	}
	// Local would be another zone on every host.
	if _, err := time.LoadLocation(info.TimeZone); err != nil || info.TimeZone == "Local" {
		problems = append(problems,
			fmt.Errorf("time_zone: %q is no IANA name", clip(info.TimeZone)))
	}
	if info.MaxPower < 0 || info.MaxPower > ratingMax {
		problems = append(problems, fmt.Errorf("max_power_w: %d is not within 0 and %d",
			info.MaxPower, ratingMax))
	}
	seen := map[chargestream.ConnectorID]bool{}
	for i := range info.Connectors {
		c, name := &info.Connectors[i], fmt.Sprintf("connectors[%d].", i)
		problems = append(problems, checkID(name+"connector_id", string(c.ConnectorID)))
		switch {
		case strings.ContainsRune(string(c.ConnectorID), '/'):
			problems = append(problems, fmt.Errorf("%sconnector_id: must not have a slash", name))
		case seen[c.ConnectorID]:
			problems = append(problems, fmt.Errorf("%sconnector_id: %q comes twice", name,
				c.ConnectorID))
		case c.MaxPower < 0 || c.MaxPower > ratingMax:
			problems = append(problems, fmt.Errorf("%smax_power_w: %d is not within 0 and %d",
				name, c.MaxPower, ratingMax))
		}
		seen[c.ConnectorID] = true
	}
	return errors.Join(problems...)
}

func checkID(field, id string) error {
	if err := chargestream.CheckID(id); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}
