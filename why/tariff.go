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
// step by step how it is found, or which step fails. Where the entry of the registry that counts
// names no tariff in force, the first later one that does counts.
func tariffOf(station chargestream.StationID, registry *tables.Registry, book Book,
	chosen *tables.Decision, start chargestream.Millis) (chargestream.TariffWhy, error) {
	if chosen != nil {
		return versionOf(book, chosen.Correction.TariffID, start,
			fmt.Sprintf("the correction %s by %s names it", chosen.DecisionID, chosen.By))
	}
	info, arrival := entryAt(registry, start)
	if info == nil {
		return chargestream.TariffWhy{Text: fmt.Sprintf("none: the registry (topic stations) has "+
			"no entry of the station %s; write one with \"chargestream stations put\"",
			station)}, nil
	}
	first, err := byEntry(station, info, arrival, book, start)
	if err != nil || first.ValidFrom != 0 {
		return first, err
	}
	for _, later := range registry.Between(start, math.MaxInt64) {
		found, err := byEntry(station, later, arrivalOf(registry, later), book, start)
		if err != nil || found.ValidFrom != 0 {
			return found, err
		}
	}
	return first, nil
}

// byEntry is the tariff that an entry of the registry names.
func byEntry(station chargestream.StationID, info *chargestream.StationInfo,
	arrival chargestream.Millis, book Book, start chargestream.Millis) (chargestream.TariffWhy,
	error) {
	if info.TariffID == "" {
		return chargestream.TariffWhy{Text: fmt.Sprintf("none: the registry's entry of the "+
			"station %s%s has no tariff_id; write it again with one: \"chargestream stations "+
			"put\"", station, arrived(arrival))}, nil
	}
	return versionOf(book, info.TariffID, start, fmt.Sprintf("the registry's entry of the "+
		"station %s%s names it", station, arrived(arrival)))
}

// versionOf is the version of a tariff that was in force at start; named says who names it.
func versionOf(book Book, id chargestream.TariffID, start chargestream.Millis, named string) (
	chargestream.TariffWhy, error) {
	t := chargestream.TariffWhy{TariffID: id}
	history, err := book(id)
	if err != nil {
		return t, err
	}
	if history == nil || len(history.Revisions) == 0 {
		t.Text = fmt.Sprintf("none: %s, and no tariff %q is known; write it with \"chargestream "+
			"tariffs put\"", named, id)
		return t, nil
	}
	version := history.By(start, math.MaxInt64)
	if version == nil {
		t.Text = fmt.Sprintf("none: %s, and no version of the tariff %q was in force at %s%s",
			named, id, start, versionsText(history))
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
	return info, arrivalOf(r, info)
}

// arrivalOf is when an entry of a history arrived; zero for one that is not of it.
func arrivalOf(r *tables.Registry, info *chargestream.StationInfo) chargestream.Millis {
	for i := range r.Revisions {
		if r.Revisions[i].Info == info && info != nil {
			return r.Revisions[i].Arrival
		}
	}
	return 0
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
