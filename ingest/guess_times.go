package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"chargestream"
	"chargestream/codecs"
)

// timeGuess is where a time is: one column, or a date and a clock.
type timeGuess struct {
	columns []*column
	zone    *column
	formats []string
}

// local reports whether a format has no offset.
func (t *timeGuess) local() bool {
	return slices.ContainsFunc(t.formats, func(f string) bool {
		return f != formatSeconds && f != formatMillis && f != formatRFC3339 && !hasOffset(f)
	})
}

// dateOrders are the layouts of dates, with the day first and with the month first. In both the
// year may come first, as a file may have two layouts.
func dateOrders() [][]string {
	plain := []string{"2006-1-2", "2006/1/2", "2006.1.2", "20060102", "2-Jan-2006", "2 Jan 2006",
		"Jan 2, 2006", "2-Jan-06", "Mon, 2 Jan 2006"}
	return [][]string{
		slices.Concat(plain, []string{"2/1/2006", "2.1.2006", "2-1-2006", "2/1/06", "2.1.06"}),
		slices.Concat(plain, []string{"1/2/2006", "1.2.2006", "1-2-2006", "1/2/06", "1.2.06"}),
	}
}

// clocks are the layouts of times of day; the empty one is of a date alone.
func clocks() []string {
	return []string{" 15:04:05", " 15:04", " 3:04:05 PM", " 3:04 PM", " 15.04", " 15:04:05 GMT",
		" 15:04:05 UTC", " 15:04:05 -0700", ""}
}

// findTimes finds start and end, their zones, and the layouts that fit both.
func (g *guess) findTimes() {
	g.end.columns = g.timeColumns("end", "stop", "stopped", "ended", "plugout", "unplug",
		"unplugged", "finish", "finished", "disconnect", "disconnected", "disconnection", "until",
		"fine", "fin", "ende", "bis", "departure", "to", "out", "termine", "término", "eind",
		"einde")
	g.start.columns = g.timeColumns("start", "started", "begin", "begun", "plugin", "plugged",
		"connect", "connected", "connection", "inizio", "debut", "début", "beginn", "anfang",
		"inicio", "von", "arrival", "from", "in", "created")
	if len(g.start.columns) == 0 {
		g.start.columns = g.timeColumns("date", "time", "timestamp", "datum", "day")
	}
	g.zones()
	texts := append(g.texts(&g.start), g.texts(&g.end)...)
	for _, format := range []string{formatSeconds, formatMillis, formatRFC3339, formatISO} {
		if len(texts) > 0 && allFit(texts, format) {
			g.start.formats, g.end.formats = []string{format}, []string{format}
			return
		}
	}
	g.layouts(texts)
}

// looksLikeTime reports whether nearly all cells are times, dates or clocks.
func looksLikeTime(c *column) bool {
	return c.share(func(cell string) bool {
		if _, _, ok := codecs.ParseISO(cell); ok {
			return true
		}
		if _, ok := codecs.ParseUnix(cell); ok || strings.Trim(cell, "0") == "" {
			return true
		}
		for _, order := range dateOrders() {
			for _, date := range order {
				for _, clock := range clocks() {
					if _, err := time.Parse(date+clock, cell); err == nil {
						return true
					}
				}
			}
		}
		return isClock(cell)
	}) >= 90
}

func isClock(cell string) bool {
	for _, layout := range clocks()[:5] {
		if _, err := time.Parse(layout[1:], cell); err == nil {
			return true
		}
	}
	return false
}

// timeColumns are the column of a time, or those of its date and its clock, by words of the name.
func (g *guess) timeColumns(names ...string) []*column {
	whole := func(c *column) bool {
		return !c.used && c.has(names...) && looksLikeTime(c) &&
			!c.has("duration", "zone", "connection_time") && !durationLike(c)
	}
	var date, clock *column
	for _, c := range g.columns {
		switch {
		case !whole(c):
		case c.share(isClock) >= 90:
			if clock == nil {
				clock = c
			}
		case date == nil:
			date = c
		}
	}
	if date == nil {
		return nil
	}
	date.used = true
	hasClock := func(cell string) bool { return strings.Contains(cell, ":") }
	if clock == nil || date.share(hasClock) > 50 {
		return []*column{date}
	}
	clock.used = true
	return []*column{date, clock}
}

// durationLike reports whether the name is that of a span, as "connection time" without a date.
func durationLike(c *column) bool {
	return c.has("duration", "durata") || c.numeric() && !c.has("at", "epoch", "timestamp") &&
		c.share(func(cell string) bool { _, ok := codecs.ParseUnix(cell); return ok }) < 90
}

// zones finds the columns that name zones, and the zone that has their abbreviations.
func (g *guess) zones() {
	var list []*column
	for _, c := range g.columns {
		if c.has("zone", "tz", "timezone") {
			c.used = true
			list = append(list, c)
		}
	}
	for i, t := range []*timeGuess{&g.start, &g.end} {
		if len(list) > 0 {
			t.zone = list[min(i, len(list)-1)]
		}
	}
	known := map[string]string{"MST": "America/Denver", "MDT": "America/Denver",
		"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "CST": "America/Chicago",
		"CDT": "America/Chicago", "EST": "America/New_York", "EDT": "America/New_York",
		"GMT": "Europe/London", "BST": "Europe/London", "CET": "Europe/Paris",
		"CEST": "Europe/Paris"}
	for _, c := range list {
		for _, cell := range c.cells {
			if zone := known[cell]; zone != "" {
				g.zone = zone
				return
			}
		}
	}
}

// texts are the times of each row as they are joined; empty where absent.
func (g *guess) texts(t *timeGuess) []string {
	if len(t.columns) == 0 {
		return nil
	}
	texts := make([]string, g.rows)
	for i := range texts {
		var parts []string
		for _, c := range t.columns {
			if c.cells[i] != "" {
				parts = append(parts, c.cells[i])
			}
		}
		if len(parts) == len(t.columns) {
			texts[i] = strings.Join(parts, " ")
		}
	}
	return texts
}

// allFit reports whether every text that is there is a time in a format.
func allFit(texts []string, format string) bool {
	fit := false
	for _, text := range texts {
		if text == "" || strings.Trim(text, "0") == "" {
			continue
		}
		at, err := parseInstant("", format, text, time.UTC)
		if err != nil || (format == formatSeconds || format == formatMillis) &&
			(at.first() < 946684800000 || at.first() > 4102444800000) {
			return false
		}
		fit = true
	}
	return fit
}

// layouts chooses the order of day and month by which most texts are times, and of equals the one
// by which sessions are short.
func (g *guess) layouts(texts []string) {
	type choice struct {
		formats []string
		fit     int
		odd     int // sessions that end before they start, or take more than a week
	}
	var choices []choice
	for _, order := range dateOrders() {
		var c choice
		c.formats, c.fit = cover(texts, order)
		if c.fit == 0 {
			continue
		}
		g.start.formats, g.end.formats = c.formats, c.formats
		for _, span := range g.spans() {
			if span < 0 || span > spanMax {
				c.odd++
			}
		}
		choices = append(choices, c)
	}
	if len(choices) == 0 {
		return
	}
	slices.SortStableFunc(choices, func(a, b choice) int {
		return cmp.Or(-cmp.Compare(a.fit, b.fit), cmp.Compare(a.odd, b.odd))
	})
	g.start.formats, g.end.formats = choices[0].formats, choices[0].formats
	g.ambiguous = len(choices) > 1 && choices[0].fit == choices[1].fit &&
		choices[0].odd == choices[1].odd && !slices.Equal(choices[0].formats, choices[1].formats)
}

// cover are the layouts of an order that make times of as many texts as they can, and how many that
// are.
func cover(texts []string, order []string) (formats []string, fit int) {
	left := slices.DeleteFunc(slices.Clone(texts), func(t string) bool { return t == "" })
	for len(left) > 0 && len(formats) < 4 {
		best, most := "", 0
		try := func(format string) {
			n := 0
			for _, text := range left {
				if hasFormat(text, format) {
					n++
				}
			}
			if n > most {
				best, most = format, n
			}
		}
		for _, date := range order {
			for _, clock := range clocks() {
				try(date + clock)
			}
		}
		try(formatISO)
		if most == 0 {
			break
		}
		formats, fit = append(formats, best), fit+most
		left = slices.DeleteFunc(left, func(text string) bool { return hasFormat(text, best) })
	}
	return formats, fit
}

// hasFormat reports whether a text is a time in a layout, or in ISO 8601.
func hasFormat(text, format string) bool {
	if format == formatISO {
		_, _, ok := codecs.ParseISO(text)
		return ok
	}
	_, err := time.Parse(format, text)
	return err == nil
}

// spans are end less start of each row by the clocks on the wall; zero where one is absent.
func (g *guess) spans() []chargestream.Millis {
	spans := make([]chargestream.Millis, g.rows)
	starts, ends := g.texts(&g.start), g.texts(&g.end)
	if starts == nil || ends == nil {
		return spans
	}
	for i := range spans {
		from, to := g.wall(starts[i]), g.wall(ends[i])
		if from > epochSpan && to > epochSpan {
			spans[i] = to - from
		}
	}
	return spans
}

func (g *guess) wall(text string) chargestream.Millis {
	for _, format := range g.start.formats {
		if at, err := parseInstant("", format, text, time.UTC); err == nil {
			return at.first()
		}
	}
	return 0
}

// write writes the field of a time.
func (t *timeGuess) write(b *strings.Builder, field string) {
	if len(t.columns) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s: {", field)
	if len(t.columns) == 1 {
		fmt.Fprintf(b, "column: %q", t.columns[0].name)
	} else {
		fmt.Fprintf(b, "join: [%q, %q]", t.columns[0].name, t.columns[1].name)
	}
	switch len(t.formats) {
	case 0:
	case 1:
		fmt.Fprintf(b, ", format: %q", t.formats[0])
	default:
		quoted := make([]string, len(t.formats))
		for i, f := range t.formats {
			quoted[i] = fmt.Sprintf("%q", f)
		}
		fmt.Fprintf(b, ", formats: [%s]", strings.Join(quoted, ", "))
	}
	if t.zone != nil && t.local() {
		fmt.Fprintf(b, ", zone_column: %q", t.zone.name)
	}
	b.WriteString("}\n")
}
