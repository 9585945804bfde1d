package codecs

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/mailru/easyjson/jlexer"

	"chargestream"
)

//go:generate -command easyjson go run github.com/mailru/easyjson/easyjson@v0.9.2
//go:generate easyjson -no_std_marshalers -disallow_unknown_fields entry.go

// entry is an entry of the registry as it is written here: every name is spelled as ours, and no
// other one is known.
//
//easyjson:json
type entry chargestream.StationInfo

// PlainStation reads an entry of the registry that is written as the format says, by generated
// code; nil for any other one, which may be right and is for the lenient reader. A registry of
// 100,000 stations is read whole at a start.
func PlainStation(value []byte) *chargestream.StationInfo {
	if !json.Valid(value) || !utf8.Valid(value) {
		return nil
	}
	var e entry
	l := jlexer.Lexer{Data: value}
	e.UnmarshalEasyJSON(&l)
	l.Consumed()
	if l.Error() != nil || e.StationID == "" || mayRepeat(value) {
		return nil
	}
	texts := []string{string(e.StationID), e.Name, string(e.SiteID), e.TimeZone, e.Region,
		string(e.TariffID)}
	for i := range e.Connectors {
		c := &e.Connectors[i]
		texts = append(texts, string(c.ConnectorID), c.Type, c.MeterSerial, c.PublicKey)
	}
	for _, text := range texts {
		if text != strings.TrimSpace(text) {
			return nil
		}
	}
	info := chargestream.StationInfo(e)
	return &info
}
