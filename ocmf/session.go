package ocmf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ProblemsMax bounds the problems of a session. The last one says how many more there are.
const ProblemsMax = 16

// Meter is what the registry knows of the meter of a connector.
type Meter struct {
	Serial    string // empty: not known, and not compared
	PublicKey string // in a form that CheckKey takes; empty: not known, and nothing is verified
}

// Result is what the signed values of a session say together. It depends on the set of texts
// only, not on their order.
type Result struct {
	Begin, End bool // a valid begin, or end, is there
	// Energy is end less begin in mWh. It is zero, and Measured false, where one of them is not
	// there or a problem makes the difference meaningless: another meter, an exception while
	// charging, registers that contradict each other.
	Energy   int64
	Measured bool
	Serial   string // of the meter, else of the gateway; empty where the texts differ
	Verified Verification
	// BeginSync and EndSync tell the clock of a valid begin and end; zero where there is none.
	// A bad clock is no problem of energy.
	BeginSync, EndSync Sync
	Problems           []string // sorted; nil where all is well
}

// TimeExact reports whether the time from begin to end was measured as the law asks (Table 19).
func (r Result) TimeExact() bool {
	return r.Begin && r.End && (r.EndSync == SyncRelative ||
		r.BeginSync == SyncSynchronised && r.EndSync == SyncSynchronised)
}

// Session checks all signed values of a session. Texts come in any order and may come twice; each
// holds the begin, the end, both, or what was read in between.
func Session(texts []string, meter Meter) Result {
	s := &session{result: Result{Verified: Unverified}}
	texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	if len(texts) == 0 {
		return s.result
	}
	s.accept(texts, meter.PublicKey)
	s.checkSerials(strings.TrimSpace(meter.Serial))
	s.checkPages()
	s.checkReadings()
	s.measure()
	s.closeProblems()
	return s.result
}

// session is a Result in the making.
type session struct {
	values  []*Value // those that are accepted, by page
	marks   []mark
	foreign bool // not all of one meter, or of another than the registry's
	broken  bool // an exception while charging
	result  Result
}

// mark is a reading and where it stands.
type mark struct {
	*Reading
	value int // index of its text
	page  Page
}

func (s *session) problem(format string, args ...any) {
	s.result.Problems = append(s.result.Problems, fmt.Sprintf(format, args...))
}

func (s *session) closeProblems() {
	slices.Sort(s.result.Problems)
	all := slices.Compact(s.result.Problems)
	if more := len(all) - ProblemsMax; more > 0 {
		// The dots stand behind all letters, so this sorts last.
		all = append(all[:ProblemsMax-1], fmt.Sprintf("… %d more", more+1))
	}
	s.result.Problems = all
}

// accept reads the texts and keeps those that the key does not refuse. Where a key is to be asked
// a text that cannot be read is refused: nothing shows that the meter wrote it.
func (s *session) accept(texts []string, registered string) {
	var key publicKey
	if registered != "" {
		var err error
		if key, err = readKey(registered); err != nil {
			s.problem("registry: %v", err)
			s.result.Verified = Refused
			return
		}
		s.result.Verified = Unsupported
	}
	if key.curve != nil {
		s.result.Verified = Verified
	}
	for _, text := range texts {
		v, err := Parse(text)
		if err != nil {
			s.problem("unreadable: %s", strings.TrimPrefix(err.Error(), ErrOCMF.Error()+": "))
		} else if key.curve != nil {
			if err = key.verify(v); err != nil {
				s.problem("signature of %v refused: %v", v.Page, err)
			}
		}
		if err == nil {
			s.values = append(s.values, v)
		} else if key.curve != nil {
			s.result.Verified = Refused
		}
	}
	slices.SortFunc(s.values, func(a, b *Value) int {
		return cmp.Or(cmp.Compare(a.Page.Number, b.Page.Number),
			cmp.Compare(a.Payload, b.Payload))
	})
	// A payload may be signed twice, as no two signatures of ECDSA need be the same.
	s.values = slices.CompactFunc(s.values, func(a, b *Value) bool {
		return a.Payload == b.Payload
	})
}

// checkSerials wants all texts of one source, and of the registry's meter.
func (s *session) checkSerials(registered string) {
	var serials, gateways []string
	for _, v := range s.values {
		serials = append(serials, v.Serial())
		if v.Gateway != "" {
			gateways = append(gateways, v.Gateway)
		}
	}
	serials = slices.Compact(slices.Sorted(slices.Values(serials)))
	gateways = slices.Compact(slices.Sorted(slices.Values(gateways)))
	for _, serial := range serials {
		switch {
		case serial == "":
			s.problem("serial: none is told")
			s.foreign = true
		case registered != "" && serial != registered:
			s.problem("serial %s, the registry has %s", quote(serial), quote(registered))
			s.foreign = true
		}
	}
	if len(serials) > 1 {
		s.problem("serials %s and %s", quote(serials[0]), quote(serials[1]))
		s.foreign = true
	} else if len(serials) == 1 {
		s.result.Serial = serials[0]
	}
	if len(gateways) > 1 {
		s.problem("gateways %s and %s", quote(gateways[0]), quote(gateways[1]))
		s.foreign = true
	}
}

// checkPages wants the pages of the transaction to follow each other. Those outside of
// transactions are counted on their own and are no business of a session: they are left out.
func (s *session) checkPages() {
	s.values = slices.DeleteFunc(s.values, func(v *Value) bool { return v.Page.Context == 'F' })
	for i := 1; i < len(s.values); i++ {
		before, page := s.values[i-1].Page, s.values[i].Page
		switch page.Number {
		case before.Number:
			s.problem("pagination: %v twice", page)
		case before.Number + 1:
		default:
			s.problem("pagination: %v follows %v", page, before)
		}
	}
}

// isEnd reports whether a reason (TX) ends a transaction.
func isEnd(reason string) bool { return len(reason) == 1 && strings.Contains("ELRAP", reason) }

func isBegin(reason string) bool { return reason == "B" }

// checkReadings lists what was read and wants it in order and without error.
func (s *session) checkReadings() {
	told := map[Reading]bool{}
	for i, v := range s.values {
		for k := range v.Readings {
			r := &v.Readings[k]
			if told[*r] {
				continue
			}
			told[*r] = true
			m := mark{r, i, v.Page}
			s.marks = append(s.marks, m)
			s.checkReading(m)
		}
	}
	s.checkOrder()
}

// where names a reading in a problem.
func (m mark) where() string {
	switch {
	case isBegin(m.Reason):
		return "of the begin"
	case isEnd(m.Reason):
		return "of the end"
	}
	return "on " + m.page.String()
}

// bare shows a code of the format, which is a letter or two.
func bare(code string) string {
	if code == "" || len(code) > 2 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZt") != "" {
		return quote(code)
	}
	return code
}

func (s *session) checkReading(m mark) {
	if m.Status != "G" {
		s.problem("status %s %s", bare(m.Status), m.where())
	}
	if m.Flags != "" {
		s.problem("error flags %s %s", bare(m.Flags), m.where())
	}
	switch m.Reason {
	case "B", "C", "E", "L", "R", "A", "P", "S", "T":
	case "X":
		s.problem("exception on %v", m.page)
		s.broken = true
	default:
		s.problem("reason %s on %v", bare(m.Reason), m.page)
	}
}

// checkOrder wants a begin before all else and an end behind all else: in the texts, and among
// the readings of each register, as a text may go through its registers one by one.
func (s *session) checkOrder() {
	if len(s.marks) == 0 {
		return
	}
	registers := map[string][]mark{}
	for _, m := range s.marks {
		registers[m.Register] = append(registers[m.Register], m)
	}
	last := s.marks[len(s.marks)-1].value
	for _, marks := range registers {
		for i, m := range marks {
			if isBegin(m.Reason) && (i > 0 || m.value > 0) {
				s.problem("begin on %v is not the first", m.page)
			}
			if isEnd(m.Reason) && (i < len(marks)-1 || m.value < last) {
				s.problem("end on %v is not the last", m.page)
			}
		}
	}
}
