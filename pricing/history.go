package pricing

import (
	"bytes"
	"encoding/json"
	"fmt"

	"chargestream"
)

// ParseHistory reads a record of the tariffs topic: all versions of one tariff, of which each must
// be one that Parse takes, from a time of its own on. A tariff that is only readable in part is
// none, as a later version may be the one that counts. The texts of the tariffs are compacted. The
// error wraps ErrTariff and names the place.
func ParseHistory(value []byte) (*chargestream.TariffHistory, error) {
	var h chargestream.TariffHistory
	if err := json.Unmarshal(value, &h); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTariff, err)
	}
	if err := chargestream.CheckID(string(h.TariffID)); err != nil {
		return nil, fmt.Errorf("%w: tariff_id: %w", ErrTariff, err)
	}
	if len(h.Versions) == 0 {
		return nil, refuse("versions", "there are none")
	}
	seen := map[chargestream.Millis]bool{}
	for i := range h.Versions {
		v, path := &h.Versions[i], fmt.Sprintf("versions[%d]", i)
		switch {
		case v.ValidFrom == 0:
			return nil, refuse(path+".valid_from", "is missing")
		case seen[v.ValidFrom]:
			return nil, refuse(path+".valid_from", "%s is there twice", v.ValidFrom)
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
