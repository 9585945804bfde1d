package codecs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
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
	if n, ok := parseWhole(text); ok && digits == 0 {
		return n, nil
	}
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

// wholeDigits is how many digits any int64 can have.
const wholeDigits = 18

// parseWhole reads a number of digits only, as most are; false for any other.
func parseWhole(text string) (int64, bool) {
	if len(text) == 0 || len(text) > wholeDigits {
		return 0, false
	}
	var n int64
	for i := range len(text) {
		d := text[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
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
	var buf [64]byte
	text, u := buf[:0], uint64(n)
	if n < 0 {
		text, u = append(text, '-'), -u
	}
	var number [20]byte
	all := strconv.AppendUint(number[:0], u, 10)
	whole := max(len(all)-digits, 0)
	if text = append(text, all[:whole]...); whole == 0 {
		text = append(text, '0')
	}
	if digits == 0 {
		return string(text)
	}
	text = append(text, '.')
	for range digits - (len(all) - whole) {
		text = append(text, '0')
	}
	return string(append(text, all[whole:]...))
}
