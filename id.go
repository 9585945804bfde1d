package chargestream

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// StationID names a charging station. It is the key of every input topic.
type StationID string

// ConnectorID names one connector of a station: the small numbers of OCPP as decimal text, or
// whatever name the operator's own registry has.
type ConnectorID string

// SessionID names one charging session.
type SessionID string

// UserID names who pays: an id token, a contract or a customer number.
type UserID string

// TariffID names a tariff of the tariffs topic.
type TariffID string

// SiteID names a group of stations at one place.
type SiteID string

// ConnectorDefault is the connector of an event that names none.
const ConnectorDefault ConnectorID = "1"

// IDBytesMax bounds every identifier. OCPP and OCPI allow 36 characters and vendors up to 255.
const IDBytesMax = 255

// ErrID is returned by CheckID for a text that cannot serve as an identifier.
var ErrID = errors.New("identifier must be 1 to 255 bytes of printable UTF-8")

// FoldID is an identifier as it is compared: OCPP's IdToken and OCPI's CiString do not tell upper
// from lower case, and blanks around an identifier say nothing. It is shown as it was first
// written.
func FoldID[T ~string](id T) T {
	return T(strings.ToLower(strings.TrimSpace(string(id))))
}

// CheckID reports whether text can serve as an identifier: printable UTF-8 of bounded length.
func CheckID(text string) error {
	if text == "" || len(text) > IDBytesMax || !utf8.ValidString(text) {
		return ErrID
	}
	if strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
		return ErrID
	}
	return nil
}
