package processors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

func decodeRegistry(_ string, row []byte) (*tables.Registry, error) {
	return tables.DecodeRegistry(row)
}

func appendRegistry(buf []byte, r *tables.Registry) []byte { return r.Append(buf) }

// foldRegistry adds an entry to the history of a station's, or keeps the record as a dead letter.
// An entry by which nothing could be billed never becomes reference data, and the last good one
// stays. Whether a time zone is known is looked up in the zones of the host, else in those within
// the program.
func (f *stationFold) foldRegistry(ctx *engine.Context, m *engine.Message) error {
	if reason, err := checkKey(m); reason != "" {
		deadLetter(ctx, f.count, m, reason, err)
		return nil
	}
	info, reason, err := f.readRegistry(m)
	if reason != "" {
		deadLetter(ctx, f.count, m, reason, err)
		return nil
	}
	known, err := f.registry.Get(ctx, m.Key)
	if err != nil {
		return err
	}
	next := tables.Registry{}
	if known != nil {
		next = *known
	}
	changed, err := next.Add(chargestream.Millis(m.Arrival), info)
	if err != nil {
		refuse(ctx, f.count, m, err)
	}
	if !changed {
		return nil
	}
	row, err := f.registry.Edit(ctx, m.Key)
	if err != nil {
		return err
	}
	*row = next
	station, err := f.stations.Get(ctx, m.Key)
	if err != nil {
		return err
	}
	if site := siteOf(&next); station != nil && station.Site != site {
		if station, err = f.stations.Edit(ctx, m.Key); err != nil {
			return err
		}
		station.Site = site
	}
	return nil
}

// siteOf is the site that a station has now; empty for none.
func siteOf(history *tables.Registry) chargestream.SiteID {
	if history == nil {
		return ""
	}
	if info := history.By(math.MaxInt64); info != nil {
		return info.SiteID
	}
	return ""
}

// checkKey refuses a record of reference data whose key is no identifier.
func checkKey(m *engine.Message) (Reason, error) {
	if !m.HasKey || m.Key == "" {
		return ReasonNullKey, errors.New("reference data is keyed by its station_id or tariff_id")
	}
	if err := checkID("key", m.Key); err != nil {
		return ReasonMalformed, err
	}
	return "", nil
}

// refuse keeps a record as a dead letter that a history has no room for.
func refuse(ctx *engine.Context, count Counter, m *engine.Message, err error) {
	deadLetter(ctx, count, m, ReasonBound, err)
	switch {
	case errors.Is(err, tables.ErrReferenceBytes):
		count.Bound("reference_bytes")
	case errors.Is(err, tables.ErrReferenceRevisions):
		count.Bound("reference_revisions")
	}
}

func oversized(m *engine.Message) error {
	return fmt.Errorf("%d bytes, at most %d are taken", len(m.Value), topics.RecordBytesMax)
}

// readRegistry reads an entry of the registry; nil where it was taken out.
func (f *stationFold) readRegistry(m *engine.Message) (*chargestream.StationInfo, Reason, error) {
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
	if err := checkRegistry(info, f.reference.location); err != nil {
		return nil, ReasonMalformed, err
	}
	return info, "", nil
}

// ratingMax bounds the rating of a station or connector: a gigawatt.
const ratingMax chargestream.Watts = 1_000_000_000

// checkRegistry refuses an entry by which nobody could bill: each error names the field.
func checkRegistry(info *chargestream.StationInfo, zone func(string) *time.Location) error {
	problems := []error{checkID("station_id", string(info.StationID))}
	if info.TariffID != "" {
		problems = append(problems, checkID("tariff_id", string(info.TariffID)))
	}
	if info.SiteID != "" {
		problems = append(problems, checkID("site_id", string(info.SiteID)))
	}
	// Local would be another zone on every host.
	if info.TimeZone == "Local" || (info.TimeZone != "" && zone(info.TimeZone) == nil) {
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
