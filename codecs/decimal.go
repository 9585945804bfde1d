package codecs

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// ErrNumber is returned by ParseScaled for a text that is no decimal number, or too large.
var ErrNumber = errors.New("not a decimal number in range")

// exponentDigits bounds the digits of an exponent: those of a float64 have three.
const exponentDigits = 3

// ParseScaled reads a JSON number (or the same as text) times 10^digits as an integer, without
// floating point; what is left below one is rounded half away from zero. "1.5" with 3 digits is
// 1500. It returns ErrNumber for any other text.
func ParseScaled(text string, digits int) (int64, error) {
	mantissa, exponent, err := splitExponent(text)
	if err != nil {
		return 0, err
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" {
		return 0, fmt.Errorf("%w: %q", ErrNumber, text)
	}
	point := len(whole) + exponent + digits // position of the decimal point in all digits
	all := whole + fraction
	var n uint64
	for i := 0; i < max(point, 0); i++ {
		var d uint64
		if i < len(all) {
			if all[i] < '0' || all[i] > '9' {
				return 0, fmt.Errorf("%w: %q", ErrNumber, text)
			}
			d = uint64(all[i] - '0')
		}
		if n > (math.MaxInt64-9)/10 {
			return 0, fmt.Errorf("%w: %q", ErrNumber, text)
		}
		n = n*10 + d
	}
	for i := max(point, 0); i < len(all); i++ {
		if all[i] < '0' || all[i] > '9' {
			return 0, fmt.Errorf("%w: %q", ErrNumber, text)
		}
		if i == point && all[i] >= '5' {
			n++
		}
	}
	if negative {
		return -int64(n), nil
	}
	return int64(n), nil
}

// splitExponent splits 12.5e3 in "12.5" and 3.
func splitExponent(text string) (string, int, error) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, 0, nil
	}
	sign, exponent := 1, 0
	tail := text[i+1:]
	switch {
	case strings.HasPrefix(tail, "-"):
		sign, tail = -1, tail[1:]
	case strings.HasPrefix(tail, "+"):
		tail = tail[1:]
	}
	if tail == "" || len(tail) > exponentDigits {
		return "", 0, fmt.Errorf("%w: %q", ErrNumber, text)
	}
	for _, c := range []byte(tail) {
		if c < '0' || c > '9' {
			return "", 0, fmt.Errorf("%w: %q", ErrNumber, text)
		}
		exponent = exponent*10 + int(c-'0')
	}
	return text[:i], sign * exponent, nil
}

// FormatScaled writes an integer of 10^-digits units as decimal text: 1500 with 3 digits is
// "1.500".
func FormatScaled(n int64, digits int) string {
	sign := ""
	u := uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	text := fmt.Sprintf("%0*d", digits+1, u)
	if digits == 0 {
		return sign + text
	}
	return sign + text[:len(text)-digits] + "." + text[len(text)-digits:]
}
