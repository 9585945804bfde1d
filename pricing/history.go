package pricing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"chargestream"
	"chargestream/codecs"
)

// ParseHistory reads a record of the tariffs topic: all versions of one tariff, of which each must
// be one that Parse takes, from a time of its own on; or a bare OCPI 2.2.1 Tariff, which is the one
// version of its id. A tariff that is only readable in part is none, as a later version may be the
// one that counts, and a field that is not known is refused, as an ignored one would change what is
// billed. The texts of the tariffs are compacted. The error wraps ErrTariff and names the place.
func ParseHistory(value []byte) (*chargestream.TariffHistory, error) {
	if bare, err := bareTariff(value); bare != nil || err != nil {
		return bare, err
	}
	h := chargestream.TariffHistory{}
	if err := codecs.Read(value, &h, historyHints()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTariff, err)
	}
	if err := checkID("tariff_id", string(h.TariffID)); err != nil {
		return nil, err
	}
	if len(h.Versions) == 0 {
		return nil, refuse("versions", "there are none: a list of {\"valid_from\", \"tariff\"} is "+
			"needed; add the version that counts")
	}
	seen := map[chargestream.Millis]bool{}
	for i := range h.Versions {
		v, path := &h.Versions[i], fmt.Sprintf("versions[%d]", i)
		switch {
		case v.ValidFrom == 0:
			return nil, refuse(path+".valid_from", "is missing: a time is needed; write from when "+
				"on the version counts, such as 2026-01-01T00:00:00Z")
		case seen[v.ValidFrom]:
			return nil, refuse(path+".valid_from", "%s is there twice: each version begins at a "+
				"time of its own; take one of them out", v.ValidFrom)
		}
		seen[v.ValidFrom] = true
		if _, err := Parse(v.Tariff); err != nil {
			return nil, fmt.Errorf("%s.tariff: %w", path, err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, v.Tariff); err != nil {
			return nil, fmt.Errorf("%s.tariff: %w: %w", path, ErrTariff, err)
		}
		v.Tariff = compact.Bytes()
	}
	return &h, nil
}

// historyHints say what to do about fields that a history does not have.
func historyHints() map[string]string {
	const end = "a version counts until the next one begins: add a version with its own " +
		"valid_from, or put end_date_time into the tariff; did you mean valid_from?"
	return map[string]string{"valid_to": end, "valid_until": end, "valid_till": end}
}

func checkID(field, id string) error {
	if err := codecs.CheckID(field, id); err != nil {
		return fmt.Errorf("%w: %w", ErrTariff, err)
	}
	return nil
}

// bareFrom is from when on a bare tariff without a start_date_time counts: before all sessions.
const bareFrom = chargestream.Millis(946684800000) // 2000-01-01

// bareTariff reads an OCPI Tariff that stands alone; nil for what is none.
func bareTariff(value []byte) (*chargestream.TariffHistory, error) {
	value = bytes.TrimSpace(bytes.TrimPrefix(value, []byte("\ufeff")))
	root, err := readTree(value)
	if named := codecs.Named(value, "elements", "versions"); err != nil && named["elements"] &&
		!named["versions"] {
		return nil, err
	}
	if err != nil || root.kind != kindObject || root.field("elements") == nil {
		return nil, nil // what is wrong is told by who reads it as a history
	}
	tariff, err := Parse(value)
	if err != nil {
		return nil, err
	}
	p := parser{}
	id := p.text(&root, "id")
	if p.err != nil {
		return nil, p.err
	}
	id = strings.TrimSpace(id)
	if err := checkID("id", id); err != nil {
		return nil, err
	}
	v := chargestream.TariffVersion{ValidFrom: max(tariff.from, bareFrom)}
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTariff, err)
	}
	v.Tariff = compact.Bytes()
	history := &chargestream.TariffHistory{TariffID: chargestream.TariffID(id), Bare: true,
		Versions: []chargestream.TariffVersion{v}}
	if root.field("last_updated") != nil {
		history.LastUpdated = p.dateTime(root.field("last_updated"))
	}
	return history, p.err
}
