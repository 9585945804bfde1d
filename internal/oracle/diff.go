package oracle

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// diffMax is how many differences Diff tells of each part before it only counts them.
const diffMax = 20

// Diff tells what differs in got from want, a line each, in a fixed order: everything that is
// missing, everything that is too much and every field that is not the same. Of each part at
// most twenty lines are told and the rest is counted. It is empty if all is as expected.
func (want *Expected) Diff(got *Expected) []string {
	var out []string
	out = append(out, diffMap("session", want.Sessions, got.Sessions)...)
	out = append(out, diffMap("invoice", want.Invoices, got.Invoices)...)
	out = append(out, diffMap("user", want.Users, got.Users)...)
	out = append(out, diffMap("window", want.Windows, got.Windows)...)
	out = append(out, diffMap("connector", want.Connectors, got.Connectors)...)
	out = append(out, diffMap("anomaly", want.Anomalies, settled(want, got))...)
	out = append(out, diffValue("energy of all sessions, Wh", want.EnergyWh, got.EnergyWh)...)
	return append(out,
		diffValue("energy of issued sessions, Wh", want.IssuedEnergyWh, got.IssuedEnergyWh)...)
}

// settled are got's anomalies, without the state of those for which want takes either.
func settled(want, got *Expected) map[string]Anomaly {
	all := maps.Clone(got.Anomalies)
	for key, a := range all {
		if w, ok := want.Anomalies[key]; ok && w.State == StateAny {
			a.State = StateAny
			all[key] = a
		}
	}
	return all
}

func diffMap[V any](part string, want, got map[string]V) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		name := part + " " + key
		if g, ok := got[key]; ok {
			out = append(out, diffValue(name, want[key], g)...)
		} else {
			out = append(out, fmt.Sprintf("%s: missing, want %+v", name, want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			out = append(out, fmt.Sprintf("%s %s: too much, got %+v", part, key, got[key]))
		}
	}
	if len(out) > diffMax {
		rest := len(out) - diffMax
		out = append(out[:diffMax], fmt.Sprintf("%s: %d more differences", part, rest))
	}
	return out
}

// diffValue compares two structs field by field, so that none can be forgotten, and anything
// else as a whole.
func diffValue(name string, want, got any) []string {
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	if w.Kind() != reflect.Struct {
		return diffField(name, w, g)
	}
	var out []string
	for i := range w.NumField() {
		field := name + " " + w.Type().Field(i).Name
		out = append(out, diffField(field, w.Field(i), g.Field(i))...)
	}
	return out
}

// diffField takes an absent list for an empty one.
func diffField(name string, want, got reflect.Value) []string {
	w, g := want.Interface(), got.Interface()
	if want.Kind() == reflect.Slice && want.Len() == 0 && got.Len() == 0 {
		return nil
	}
	if reflect.DeepEqual(w, g) {
		return nil
	}
	return []string{fmt.Sprintf("%s: want %+v, got %+v", name, w, g)}
}
