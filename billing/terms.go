package billing

import (
	"fmt"
	"time"

	"chargestream"
	"chargestream/pricing"
	"chargestream/tables"
)

// terms are what a session is billed by: its station's entry in the registry and the version of
// the tariff that was in force at its start. Once there is a version they are sealed.
type terms struct {
	start    chargestream.Millis   // of the session that they were found for
	chosen   chargestream.TariffID // by a decision; empty for the registry's
	sealed   chargestream.Millis   // as of when reference data counts; zero: not sealed
	info     *chargestream.StationInfo
	location *time.Location
	tariffID chargestream.TariffID
	known    bool                        // there is a tariff of the id
	version  *chargestream.TariffVersion // nil: none is in force
	tariff   *pricing.Tariff
}

// seal finds the terms of a session. Once there are any they are sealed: what is known of the
// reference data is frozen, and the version follows the start that counts.
func (b *biller) seal(k *known) error {
	t := &terms{chosen: b.correction.TariffID}
	if k.start != nil {
		t.start = k.start.At
	} else {
		t.start = k.end.At
	}
	at := k.at
	if old := b.terms; old != nil && old.sealed != 0 && old.chosen == t.chosen {
		if old.start == t.start {
			return nil
		}
		at = old.sealed
	}
	b.terms = t
	registry, err := b.book.Registry(b.Station)
	if err != nil {
		return err
	}
	if b.repriced != 0 && registry != nil {
		t.info = registry.By(b.repriced)
	}
	if t.info == nil && registry != nil {
		t.info = registry.At(t.start, at)
	}
	if t.tariffID = t.chosen; t.info != nil {
		t.location = b.book.Location(t.info.TimeZone)
		if t.chosen == "" {
			t.tariffID = t.info.TariffID
		}
	}
	if k.start == nil || k.end == nil {
		return nil
	}
	if t.tariffID != "" {
		if err := b.sealTariff(t, at); err != nil || t.version != nil {
			return err
		}
	}
	if t.chosen != "" || registry == nil {
		return nil
	}
	return b.sealLater(t, registry, at)
}

// sealLater looks for a later entry of the registry, of which the tariff was in force at the start:
// where the entry that counts names none, it was a mistake.
func (b *biller) sealLater(t *terms, registry *tables.Registry, at chargestream.Millis) error {
	for _, info := range registry.Between(max(t.start, b.repriced), at) {
		if info.TariffID == "" {
			continue
		}
		later := *t
		later.info, later.tariffID = info, info.TariffID
		later.location = b.book.Location(info.TimeZone)
		if err := b.sealTariff(&later, at); err != nil {
			return err
		}
		if later.version != nil {
			*t = later
			return nil
		}
	}
	return nil
}

// sealTariff finds the version of the tariff: of what arrived by a decision to reprice, else of
// what is in effect.
func (b *biller) sealTariff(t *terms, at chargestream.Millis) error {
	history, err := b.book.Tariff(t.tariffID)
	if err != nil || history == nil {
		return err
	}
	t.known = history.Exists(at)
	if b.repriced != 0 && t.chosen == "" {
		t.version = history.At(t.start, b.repriced)
	}
	if t.version == nil {
		t.version = history.At(t.start, at)
	}
	if t.version == nil {
		return nil
	}
	t.sealed = at
	if t.tariff, err = b.book.Parse(t.version.Tariff); err != nil {
		return fmt.Errorf("tariff %q: %w", t.tariffID, err)
	}
	return nil
}

// missingEvidence is which tariff was looked for, and the first thing that is not there: the
// station in the registry, its tariff_id, that tariff, or a version of it that was in force at the
// start.
func (b *biller) missingEvidence(e chargestream.Evidence) {
	b.tariffEvidence(e)
	switch t := b.terms; {
	case t.info == nil && t.chosen == "":
		e["missing"] = "station"
	case t.tariffID == "":
		e["missing"] = "tariff_id"
	case !t.known:
		e["missing"] = "tariff"
	default:
		e["missing"] = "version"
	}
}

// tariffEvidence is which tariff was looked for.
func (b *biller) tariffEvidence(e chargestream.Evidence) {
	if b.terms == nil || b.terms.info == nil {
		e["registry_entry"] = "none"
	}
	if b.terms != nil && b.terms.tariffID != "" {
		e["tariff_id"] = string(b.terms.tariffID)
	}
}

// connector is what the registry tells of the session's connector, with what holds for the whole
// station.
func (t *terms) connector(id chargestream.ConnectorID) chargestream.ConnectorInfo {
	found := chargestream.ConnectorInfo{ConnectorID: id}
	if t == nil || t.info == nil {
		return found
	}
	for i := range t.info.Connectors {
		if t.info.Connectors[i].ConnectorID == id {
			found = t.info.Connectors[i]
		}
	}
	if found.MaxPower <= 0 {
		found.MaxPower = t.info.MaxPower
	}
	found.Calibrated = found.Calibrated || t.info.Calibrated
	return found
}
