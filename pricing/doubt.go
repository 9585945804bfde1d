package pricing

import (
	"fmt"
	"strings"

	"chargestream/codecs"
)

// Doubts are what a tariff says that may not be meant: it is taken, and whoever writes it is
// warned. For now these are bounds whose amounts with and without VAT do not fit the only rate: the
// one that bounds more counts.
func (t *Tariff) Doubts() []string {
	var list []string
	rate := t.onlyRate()
	if rate == UnknownVAT {
		return nil // of several rates the mix decides
	}
	for _, b := range []struct {
		name string
		bound
	}{{"min_price", t.min}, {"max_price", t.max}} {
		if fits := b.fits(rate); b.contradicts(rate) {
			list = append(list, fmt.Sprintf("%s: excl_vat %s and incl_vat %s do not fit %s %% of "+
				"VAT, by which %s are %s: write incl_vat %s, or leave it out", b.name,
				codecs.FormatScaled(b.excl, t.digits), codecs.FormatScaled(b.incl, t.digits),
				percent(rate), codecs.FormatScaled(b.excl, t.digits),
				codecs.FormatScaled(fits, t.digits), codecs.FormatScaled(fits, t.digits)))
		}
	}
	return list
}

// percent is a rate without zeros behind it.
func percent(rate VAT) string {
	text := codecs.FormatScaled(int64(rate), VATDigits)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
