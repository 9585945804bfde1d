package why

import (
	"fmt"
	"math"

	"chargestream"
	"chargestream/tables"
)

// Book gives the history of a tariff; nil for none.
type Book func(chargestream.TariffID) (*tables.Tariff, error)

// tariffOf finds the tariff of a session that began at start by all that is known now, and says
// step by step how it is found, or which step fails.
func tariffOf(station chargestream.StationID, registry *tables.Registry, book Book,
	chosen *tables.Decision, start chargestream.Millis) (chargestream.TariffWhy, error) {
	var t chargestream.TariffWhy
	var named string
	if chosen != nil {
		t.TariffID = chosen.Correction.TariffID
		named = fmt.Sprintf("the correction %s by %s names it", chosen.DecisionID, chosen.By)
	} else {
		info, arrival := entryAt(registry, start)
		switch {
		case info == nil:
			t.Text = fmt.Sprintf("none: the registry (topic stations) has no entry of the "+
				"station %s; write one with \"chargestream stations put\"", station)
			return t, nil
		case info.TariffID == "":
			t.Text = fmt.Sprintf("none: the registry's entry of the station %s%s has no "+
				"tariff_id; write it again with one: \"chargestream stations put\"", station,
				arrived(arrival))
			return t, nil
		}
		t.TariffID = info.TariffID
		named = fmt.Sprintf("the registry's entry of the station %s%s names it", station,
			arrived(arrival))
	}
	history, err := book(t.TariffID)
	if err != nil {
		return t, err
	}
	if history == nil || len(history.Revisions) == 0 {
		t.Text = fmt.Sprintf("none: %s, and no tariff %q is known; write it with \"chargestream "+
			"tariffs put\"", named, t.TariffID)
		return t, nil
	}
	version := history.By(start, math.MaxInt64)
	if version == nil {
		t.Text = fmt.Sprintf("none: %s, and no version of the tariff %q was in force at %s%s",
			named, t.TariffID, start, versionsText(history))
		return t, nil
	}
	t.ValidFrom = version.ValidFrom
	t.Text = fmt.Sprintf("%s; of its versions the one from %s was in force at %s", named,
		version.ValidFrom, start)
	return t, nil
}

// entryAt is the registry's entry for a session that began at start, with its arrival.
func entryAt(r *tables.Registry, start chargestream.Millis) (*chargestream.StationInfo,
	chargestream.Millis) {
	if r == nil {
		return nil, 0
	}
	info := r.At(start, math.MaxInt64)
	for i := range r.Revisions {
		if r.Revisions[i].Info == info {
			return info, r.Revisions[i].Arrival
		}
	}
	return info, 0
}

func arrived(at chargestream.Millis) string {
	if at == 0 {
		return ""
	}
	return ", which arrived at " + at.String() + ","
}

// versionsText says when the versions begin that there are.
func versionsText(t *tables.Tariff) string {
	last := t.Revisions[len(t.Revisions)-1].Versions
	if len(last) == 0 {
		return ": it was withdrawn"
	}
	return fmt.Sprintf(": its first version is valid from %s; write one that is valid from before "+
		"with \"chargestream tariffs put\"", last[0].ValidFrom)
}
