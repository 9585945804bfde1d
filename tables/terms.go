package tables

import (
	"fmt"
	"time"

	"chargestream"
	"chargestream/pricing"
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
	registry, err := b.reference(string(b.row.StationID))
	if err != nil {
		return err
	}
	if b.repriced != 0 {
		t.info = registry.RegistryBy(b.repriced)
	}
	if t.info == nil {
		t.info, _ = registry.RegistryAt(t.start, at)
	}
	if t.tariffID = t.chosen; t.info != nil {
		t.location = b.book.Location(t.info.TimeZone)
		if t.chosen == "" {
			t.tariffID = t.info.TariffID
		}
	}
	if t.tariffID == "" || k.start == nil || k.end == nil {
		return nil
	}
	return b.sealTariff(t, at)
}

// sealTariff finds the version of the tariff: of what arrived by a decision to reprice, else of
// what is in effect.
func (b *biller) sealTariff(t *terms, at chargestream.Millis) error {
	history, err := b.reference(string(t.tariffID))
	if err != nil {
		return err
	}
	if b.repriced != 0 && t.chosen == "" {
		t.version = history.TariffBy(t.start, b.repriced)
	}
	if t.version == nil {
		t.version = history.TariffAt(t.start, at)
	}
	if t.version == nil {
		return nil
	}
	t.sealed = at
	if t.tariff, err = b.book.Tariff(t.version.Tariff); err != nil {
		return fmt.Errorf("tariff %q: %w", t.tariffID, err)
	}
	return nil
}

// reference is what is known of a key, empty where that is nothing.
func (b *biller) reference(key string) (*Reference, error) {
	r, err := b.book.Reference(key)
	if err != nil || r != nil {
		return r, err
	}
	return &Reference{}, nil
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
