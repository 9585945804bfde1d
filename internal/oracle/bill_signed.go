package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// signedReading is one reading of a signed value (OCMF, its RD), with what is said of them all.
type signedReading struct {
	page          int
	serial        string
	kind, quality string // TX and ST
	wh            *big.Rat
}

// signedData are the signed values of the session, by time, each once: those of all claims that are
// known, not only of those that count. Without a start or an end there are none of samples.
func (s *story) signedData(v sheet) []string {
	type signed struct {
		atMs int64
		text string
	}
	var all []signed
	add := func(atMs int64, text string) {
		if value := (signed{atMs, text}); text != "" && !slices.Contains(all, value) {
			all = append(all, value)
		}
	}
	for _, c := range v.known.starts {
		add(c.AtMs, c.Signed)
	}
	for _, c := range v.known.ends {
		add(c.AtMs, c.Signed)
	}
	if v.start != nil && v.end != nil {
		for _, m := range s.own(v) {
			add(m.AtMs, m.Signed)
		}
	}
	slices.SortFunc(all, func(x, y signed) int {
		return cmp.Or(cmp.Compare(x.atMs, y.atMs), cmp.Compare(x.text, y.text))
	})
	var texts []string
	for _, value := range all {
		if !slices.Contains(texts, value.text) {
			texts = append(texts, value.text)
		}
	}
	return texts
}

// signedReasons judges the signed values of a calibrated connector; of another one nothing is said.
// A begin or an end that is not marked as such, cannot be read or has not a good status is missing.
// Signed values of a connector without a key cannot be verified, which is said beside all else.
// What contradicts itself mismatches nothing.
func (s *story) signedReasons(v sheet) []string {
	connector := s.connectorOf(v)
	e := v.terms.entry
	if e == nil || !e.Calibrated && !e.ConnectorCalib[connector] {
		return nil
	}
	var readings []signedReading
	valid := true
	for _, text := range s.signedData(v) {
		parsed, err := parseSigned(text)
		if err != nil {
			valid = false
			continue
		}
		readings = append(readings, parsed...)
	}
	slices.SortStableFunc(readings, func(x, y signedReading) int {
		return cmp.Compare(x.page, y.page)
	})
	for i, r := range readings {
		if i > 0 && r.page > readings[i-1].page+1 {
			valid = false
		}
		own := e.ConnectorSerial[connector]
		if r.quality != "G" || r.serial != readings[0].serial || own != "" && r.serial != own {
			valid = false
		}
	}
	is := func(kinds string) func(signedReading) bool {
		return func(r signedReading) bool {
			return r.quality == "G" && r.kind != "" && strings.Contains(kinds, r.kind)
		}
	}
	first := slices.IndexFunc(readings, is("B"))
	last := len(readings) - 1
	for last >= 0 && !is("ELRAP")(readings[last]) {
		last--
	}
	var reasons []string
	switch {
	case first < 0 || last < 0:
		reasons = append(reasons, HoldSignedMissing)
	case valid && v.energy.known && mismatch(readings[first].wh, readings[last].wh, v.energy.wh):
		reasons = append(reasons, HoldSignedMismatch)
	}
	if !e.ConnectorKey[connector] && len(s.signedData(v)) > 0 {
		reasons = append(reasons, HoldSignedUnverified)
	}
	if !valid {
		reasons = append(reasons, HoldSignedInvalid)
	}
	return reasons
}

// mismatch allows 1 Wh of rounding at the begin and 1 Wh at the end.
func mismatch(begin, end *big.Rat, wh int64) bool {
	off := new(big.Rat).Sub(end, begin)
	off.Sub(off, big.NewRat(wh, 1))
	return off.Abs(off).Cmp(big.NewRat(2, 1)) > 0
}

// parseSigned reads OCMF|payload|signature. What a reading leaves out is as in the one before.
func parseSigned(text string) ([]signedReading, error) {
	parts := strings.SplitN(text, "|", 3)
	if len(parts) != 3 || parts[0] != "OCMF" {
		return nil, fmt.Errorf("%q is no OCMF", text)
	}
	var payload struct {
		PG, MS string
		RD     []struct {
			TX, RU, ST string
			RV         json.Number
		}
	}
	if err := json.Unmarshal([]byte(parts[1]), &payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	page, err := strconv.Atoi(strings.TrimPrefix(payload.PG, "T"))
	if err != nil || !strings.HasPrefix(payload.PG, "T") || len(payload.RD) == 0 {
		return nil, fmt.Errorf("page %q of %d readings", payload.PG, len(payload.RD))
	}
	var readings []signedReading
	kind, unit, quality := "", "", ""
	for _, r := range payload.RD {
		if r.TX != "" {
			kind = r.TX
		}
		if r.RU != "" {
			unit = r.RU
		}
		if r.ST != "" {
			quality = r.ST
		}
		wh, ok := new(big.Rat).SetString(r.RV.String())
		if !ok || unit != "kWh" && unit != "Wh" {
			return nil, fmt.Errorf("reading %q %s", r.RV, unit)
		}
		if unit == "kWh" {
			wh.Mul(wh, big.NewRat(1000, 1))
		}
		readings = append(readings, signedReading{page, payload.MS, kind, quality, wh})
	}
	return readings, nil
}
