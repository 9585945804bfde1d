package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// errText is returned by checkText.
var errText = fmt.Errorf("must be 1 to %d bytes of printable UTF-8", keyBytesMax)

// checkText refuses what no key and no word of a filter can be.
func checkText(text string) error {
	if text == "" || len(text) > keyBytesMax || !utf8.ValidString(text) {
		return errText
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errText
	}
	return nil
}

// guard refuses what huma would overlook, as a filter that is overlooked answers with everything:
// unknown names, names without a value, names that are given twice and queries that cannot be
// read. It also bounds how long the Source may take.
func (a *api) guard(h huma.API) func(ctx huma.Context, next func(huma.Context)) {
	refuse := func(ctx huma.Context, status int, detail string, found ...error) {
		if err := huma.WriteErr(h, ctx, status, detail, found...); err != nil {
			a.logger.DebugContext(ctx.Context(), "write problem", "error", err)
		}
	}
	return func(ctx huma.Context, next func(huma.Context)) {
		address := ctx.URL()
		query, err := url.ParseQuery(address.RawQuery)
		if err != nil {
			refuse(ctx, http.StatusBadRequest, "the query cannot be read: "+err.Error()+
				"; percent-encode what is not a letter or a digit, and part with &")
			return
		}
		if found := checkParameters(ctx, query); len(found) > 0 {
			refuse(ctx, http.StatusUnprocessableEntity, join(found), found...)
			return
		}
		bounded, cancel := context.WithTimeout(ctx.Context(), sourceTimeout)
		defer cancel()
		next(huma.WithContext(ctx, bounded))
	}
}

// join is the texts of errors in one line.
func join(found []error) string {
	texts := make([]string, 0, len(found))
	for _, err := range found {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

// checkParameters finds what is wrong with the names and texts of a request's parameters.
func checkParameters(ctx huma.Context, query url.Values) []error {
	var names []string
	var found []error
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		} else if text := ctx.Param(p.Name); checkText(text) != nil {
			found = append(found, &refusal{p.In, p.Name, text, errText.Error()})
		}
	}
	slices.Sort(names)
	takes := "no query parameters"
	if len(names) > 0 {
		takes = strings.Join(names, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		values := query[name]
		r := &refusal{"query", name, values[0], ""}
		switch {
		case !slices.Contains(names, name):
			r.message = "unknown query parameter; this resource takes " + takes
		case len(values) > 1:
			r.message = "given more than once; give it once"
		case values[0] == "":
			r.message = "has no value; give it one or leave it out"
		case name != "cursor" && checkText(values[0]) != nil:
			r.message = errText.Error()
		}
		if r.message != "" {
			found = append(found, r)
		}
	}
	return found
}

// refusal says what is wrong with one parameter.
type refusal struct{ in, name, value, message string }

// Error is what the detail of the problem says.
func (r *refusal) Error() string { return fmt.Sprintf("%s.%s: %s", r.in, r.name, r.message) }

// ErrorDetail implements huma.ErrorDetailer.
func (r *refusal) ErrorDetail() *huma.ErrorDetail {
	return &huma.ErrorDetail{Location: r.in + "." + r.name, Message: r.message, Value: r.value}
}

// errInstant is returned for a parameter that is no time; a + that is not encoded arrives as a
// space, which is the usual reason.
var errInstant = errors.New("not a time after 1970 in RFC 3339; write 2026-01-31T08:00:00Z, or " +
	"2026-01-31T09:00:00%2B01:00 with the + of the offset encoded")

// instant is a point in time as a parameter.
type instant struct{ at chargestream.Millis }

// UnmarshalText reads RFC 3339. Zero would mean that no time is given, so it is refused.
func (i *instant) UnmarshalText(text []byte) error {
	if err := i.at.UnmarshalText(text); err != nil || i.at <= 0 {
		return errInstant
	}
	return nil
}

// Schema implements huma.SchemaProvider.
func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// errMonth is returned for a parameter that is no month.
var errMonth = errors.New("not a month; write it as 2026-03")

// month is a month as a parameter, as 2026-03.
type month string

// UnmarshalText reads a year and a month.
func (m *month) UnmarshalText(text []byte) error {
	if _, err := time.Parse(monthForm, string(text)); err != nil {
		return errMonth
	}
	*m = month(text)
	return nil
}

// Schema implements huma.SchemaProvider.
func (month) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: `^\d{4}-(0[1-9]|1[0-2])$`,
		PatternDescription: "a month as 2026-03"}
}
