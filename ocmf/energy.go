package ocmf

import (
	"maps"
	"math/big"
	"slices"
	"strings"
)

// obis is the quantity (group C) of a register and how it is processed (group D), in capitals and
// without leading zeros: 1-b:1.8.0 and 01-00:01.08.00*FF both give 1 and 8. Both are empty where
// the register is no OBIS code.
func obis(register string) (quantity, processing string) {
	_, code, _ := strings.Cut(register, ":")
	groups := strings.Split(strings.ToUpper(code), ".")
	if len(groups) < 3 {
		return "", ""
	}
	return strings.TrimLeft(groups[0], "0"), strings.TrimLeft(groups[1], "0")
}

// imports reports whether a register counts energy that was delivered. Names that are not known
// are taken for such: what they count is told by the unit.
func imports(register string) bool {
	quantity, processing := obis(register)
	switch quantity {
	case "2", "C0", "C1", "C2", "C3":
		return false
	}
	return processing == "" || processing == "8"
}

// behindCable reports whether a register counts what arrived at the vehicle.
func behindCable(register string) bool {
	quantity, _ := obis(register)
	return quantity == "B1" || quantity == "B3"
}

// edge is what was read at the begin, or at the end, of delivered energy.
type edge struct {
	registers []string // in which it was read
	valid     map[string]*Reading
	first     *Reading // of those that are valid
}

// edge gathers the readings of a kind and says what is wrong with their values.
func (s *session) edge(is func(reason string) bool) edge {
	e := edge{valid: map[string]*Reading{}}
	var other *mark
	for _, m := range s.marks {
		if !is(m.Reason) {
			continue
		}
		if _, ok := decimalsOf(m.Unit); !ok || !imports(m.Register) {
			other = &m
			continue
		}
		e.registers = append(e.registers, m.Register)
		if _, err := m.Energy(); err != nil {
			s.problem("value %s %s %s", quote(m.Value), m.Unit, m.where())
			continue
		}
		if m.Status != "G" || m.Flags != "" {
			continue
		}
		if e.first == nil {
			e.first = m.Reading
		}
		if _, twice := e.valid[m.Register]; twice {
			e.valid[m.Register] = nil
			continue
		}
		e.valid[m.Register] = m.Reading
	}
	if len(e.registers) == 0 && other != nil {
		s.problem("register %s in unit %s %s: no delivered energy", quote(other.Register),
			quote(other.Unit), other.where())
	}
	return e
}

// measure takes the end less the begin.
func (s *session) measure() {
	begin, end := s.edge(isBegin), s.edge(isEnd)
	if begin.first != nil {
		s.result.Begin, s.result.BeginSync = true, begin.first.Sync
	}
	if end.first != nil {
		s.result.End, s.result.EndSync = true, end.first.Sync
	}
	common := slices.ContainsFunc(begin.registers, func(register string) bool {
		return slices.Contains(end.registers, register)
	})
	if !common && len(begin.registers) > 0 && len(end.registers) > 0 {
		s.problem("register %s at the begin, %s at the end", quote(begin.registers[0]),
			quote(end.registers[0]))
	}
	energy, ok := s.difference(begin, end)
	if ok && !s.foreign && !s.broken {
		s.result.Energy, s.result.Measured = energy, true
	}
}

// difference is the energy that all registers with a valid begin and end agree on.
func (s *session) difference(begin, end edge) (energy int64, ok bool) {
	var registers []string
	for _, register := range slices.Sorted(maps.Keys(begin.valid)) {
		if begin.valid[register] != nil && end.valid[register] != nil {
			registers = append(registers, register)
		}
	}
	if slices.ContainsFunc(registers, behindCable) {
		registers = slices.DeleteFunc(registers, func(r string) bool { return !behindCable(r) })
	}
	var first *big.Rat
	for _, register := range registers {
		from, errFrom := begin.valid[register].exact()
		to, errTo := end.valid[register].exact()
		if errFrom != nil || errTo != nil {
			return 0, false
		}
		rose := new(big.Rat).Sub(to, from)
		switch {
		case rose.Sign() < 0:
			s.problem("end %s Wh is below begin %s Wh", wattHours(to), wattHours(from))
			return 0, false
		case first != nil && rose.Cmp(first) != 0:
			s.problem("registers %s and %s differ: %s and %s Wh", quote(registers[0]),
				quote(register), wattHours(first), wattHours(rose))
			return 0, false
		}
		first = rose
	}
	if first == nil {
		return 0, false
	}
	return whole(first), true
}

// wattHours shows mWh as Wh, with the decimals that it takes, up to nine.
func wattHours(mWh *big.Rat) string {
	text := new(big.Rat).Quo(mWh, big.NewRat(1000, 1)).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
