package processors

import (
	"errors"
	"fmt"
	"math"
	"time"

	"chargestream"
	"chargestream/billing"
	"chargestream/codecs"
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
		return ReasonNullKey, errors.New("the record has no key: reference data is keyed by its " +
			"station_id or tariff_id; send that as the record's key")
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
	return fmt.Errorf("%d bytes, at most %d are taken; leave out what is not needed",
		len(m.Value), topics.RecordBytesMax)
}

// readRegistry reads an entry of the registry; nil where it was taken out.
func (f *stationFold) readRegistry(m *engine.Message) (*chargestream.StationInfo, Reason, error) {
	if m.Value == nil {
		return nil, "", nil
	}
	if len(m.Value) > topics.RecordBytesMax {
		return nil, ReasonOversized, oversized(m)
	}
	info, err := codecs.DecodeStation(m.Value)
	if err != nil {
		return nil, ReasonMalformed, err
	}
	if string(info.StationID) != m.Key {
		return nil, ReasonKeyMismatch, errKey(m.Key, "station_id", string(info.StationID))
	}
	if err := checkRegistry(info, f.reference.location); err != nil {
		return nil, ReasonMalformed, err
	}
	return info, "", nil
}

// checkRegistry refuses an entry by which nobody could bill, beyond its form: each error names the
// field.
func checkRegistry(info *chargestream.StationInfo, zone func(string) *time.Location) error {
	// Local would be another zone on every host.
	if info.TimeZone == "Local" || (info.TimeZone != "" && zone(info.TimeZone) == nil) {
		return &codecs.Refusal{Field: "time_zone", Value: codecs.Quoted(info.TimeZone),
			Problem: "is no IANA name", Expected: "a name such as Europe/Paris is taken",
			Do: "look it up in the list of IANA time zones"}
	}
	for i := range info.Connectors {
		key := info.Connectors[i].PublicKey
		if key == "" {
			continue
		}
		if err := billing.CheckKey(key); err != nil {
			return &codecs.Refusal{Field: fmt.Sprintf("connectors[%d].public_key", i),
				Value: codecs.Quoted(key), Problem: fmt.Sprintf("is no public key (%v)", err),
				Expected: "a key in hexadecimal, base64 or PEM is taken",
				Do:       "copy the key as the maker of the meter publishes it"}
		}
	}
	return nil
}

func checkID(field, id string) error {
	if err := codecs.KeyProblem(id); err != nil {
		return err
	}
	return codecs.CheckID(field, id)
}
