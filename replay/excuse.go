package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Excuse is why live tables or documents may differ from those of a replay.
type Excuse string

const (
	// ExcuseWaiting: what is live has not fired timers that are due, and would fire them at the
	// next clock record. Thereafter it is the same.
	ExcuseWaiting Excuse = "waiting"
	// ExcuseReadLate: a fact was read after the moment from which it counts was billed, live or in
	// the replay. What was sent was credited and sent anew. The invoice that stands is the same.
	ExcuseReadLate Excuse = "read_late"
	// ExcuseReference: a registry entry or a tariff was read after the session was billed, and
	// arrived before, by its arrival time. A document that was sent stands.
	ExcuseReference Excuse = "reference_data"
	// ExcuseCut: records that the row rests on are kept no longer.
	ExcuseCut Excuse = "cut_inputs"
)

// Excuses are all there are.
func Excuses() []Excuse {
	return []Excuse{ExcuseWaiting, ExcuseReadLate, ExcuseReference, ExcuseCut}
}

// Text is the excuse as a sentence.
func (e Excuse) Text() string {
	return map[Excuse]string{
		ExcuseWaiting: "timers are due live and fire at the next clock record; " +
			"after that nothing differs",
		ExcuseReadLate: "facts were read after their moment was billed; what was sent was " +
			"credited and sent anew, and the invoice that stands is the same",
		ExcuseReference: "reference data was read after the session was billed by other; what " +
			"was sent stands",
		ExcuseCut: "they rest on records that the inputs keep no longer",
	}[e]
}

// Verdict is what a verification comes to.
type Verdict string

// The verdicts.
const (
	VerdictSame      Verdict = "the same"
	VerdictMayDiffer Verdict = "may differ"
	VerdictDiffers   Verdict = "must not differ"
)

// excuse counts a difference that may be, and lists it.
func (r *Report) excuse(why Excuse, format string, args ...any) {
	if r.Excused == nil {
		r.Excused, r.ExcusedWhy = map[Excuse]int{}, map[Excuse]string{}
	}
	r.Excused[why]++
	r.ExcusedWhy[why] = why.Text()
	if r.Excused[why] <= listedMax {
		r.ExcusedDifferences = append(r.ExcusedDifferences,
			fmt.Sprintf("%s: %s", why, fmt.Sprintf(format, args...)))
	}
}

// conclude sets the verdict.
func (r *Report) conclude() {
	switch {
	case r.Problems() != "":
		r.Verdict = VerdictDiffers
	case len(r.Excused) > 0:
		r.Verdict = VerdictMayDiffer
	default:
		r.Verdict = VerdictSame
	}
}

// Problems is how a replay differs from what is live and must not, in one line; empty where it does
// not.
func (r *Report) Problems() string {
	var found []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.Differences, "rows differ from a replay and must not"},
		{r.DocumentDifferences, "documents differ and must not"}} {
		if p.n > 0 {
			found = append(found, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(r.TablesCut)) {
		found = append(found, fmt.Sprintf("%s begins at offset %d and lacks rows: it was cut",
			topic, r.TablesCut[topic]))
	}
	return strings.Join(found, ", ")
}
