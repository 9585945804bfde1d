package oracle

import (
	"reflect"
	"slices"
	"testing"
)

// flaws are mistakes that the random sessions must tell from the right rule.
func flaws() []string {
	return []string{flawLateIgnored, flawLateAtOnce, flawLastArrival, flawLastCounts,
		flawLineRounding, flawVATOfRounded, flawNeverSealed, flawFirstTariff, flawWordOnly,
		flawNoCarry, flawEVSEParks, flawRegisterFirst, flawLastLessFirst, flawNoClamp,
		flawAllSamples, flawCopyBothHeld, flawOverlapCopies, flawReleaseForGood, flawNoNegation,
		flawSkewIgnored, flawUTC, flawUnnamedLost, flawContext,
		flawReferenceLost, flawCaseTold, flawRepeatBilled}
}

// TestHistoryTellsPlantedFaults breaks one rule at a time and wants DiffDocuments to tell it.
func TestHistoryTellsPlantedFaults(t *testing.T) {
	told := map[string]uint64{}
	for seed := range uint64(billCasesReach) {
		f := RandomFacts(seed)
		want := History(f)
		for _, flaw := range flaws() {
			if _, ok := told[flaw]; ok {
				continue
			}
			got, _ := billing{flaw: flaw}.story(f)
			if diff := DiffDocuments(want, got); len(diff) > 0 {
				told[flaw] = seed
				t.Logf("%s: seed %d, %.100s", flaw, seed, diff[0])
			}
		}
	}
	for _, flaw := range flaws() {
		if _, ok := told[flaw]; !ok {
			t.Errorf("%s: no session tells it", flaw)
		}
	}
}

// TestDiffDocumentsMissesNoField changes every field of a document in turn.
func TestDiffDocumentsMissesNoField(t *testing.T) {
	f := plainFacts()
	f.Statuses = []StatusFact{report("12:40", "SuspendedEV")}
	f.Decisions = []DecisionFact{decision("13:01", "d", ActRelease)}
	free := []string{"EstimatedUnsure", "EnergyUnsure", "Bounded", "Digits"} // of what is wanted
	fields := reflect.TypeFor[Document]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		documents := History(f)
		altered := reflect.ValueOf(&documents[0]).Elem().Field(i)
		alter(t, altered)
		told := len(DiffDocuments(History(f), documents)) > 0
		if told == slices.Contains(free, name) {
			t.Errorf("%s changed: told %v", name, told)
		}
	}
	lines := reflect.TypeFor[DocumentLine]()
	for i := range lines.NumField() {
		documents := History(f)
		field := reflect.ValueOf(&documents[0].Lines[0]).Elem().Field(i)
		for range 101 { // amounts may be off by one, quantities by a rounding of each piece
			alter(t, field)
		}
		told := len(DiffDocuments(History(f), documents)) > 0
		if place := lines.Field(i).Name; told == (place == "Element" || place == "Position") {
			t.Errorf("%s of a line changed: told %v", place, told)
		}
	}
}

func alter(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.String:
		v.SetString(v.String() + "?")
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]DocumentLine]() {
			v.Set(reflect.ValueOf([]DocumentLine(nil)))
			return
		}
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
	case reflect.Pointer:
		v.Set(reflect.Zero(v.Type()))
	default:
		t.Fatalf("no other value for a %s", v.Type())
	}
}
