package ingest

import (
	"fmt"
	"slices"
	"strings"

	"chargestream"
)

// guess is what each column is taken for.
type guess struct {
	*sample

	session, station, connector, user *column
	name, kind, rating, reason        *column
	lat, lon                          *column
	start, end                        timeGuess
	energy, duration                  *column
	energyUnit, durationUnit          string
	decimal, zone                     string
	ambiguous                         bool // day or month first
}

// find gives each column its role, what is most certain first.
func (g *guess) find() {
	g.findTimes()
	g.findEnergy()
	g.findDuration()
	g.station = g.best(stationPoints)
	g.user = g.best(userPoints)
	g.session = g.best(g.sessionPoints)
	g.connector = g.best(connectorPoints)
	g.name = g.best(func(c *column) int { return when(c.has("name") && c.has("station", "site")) })
	g.kind = g.best(func(c *column) int {
		return when(c.has("type", "typ", "standard") && c.has("connector", "plug", "port"))
	})
	g.rating = g.best(func(c *column) int {
		return when(c.has("rated", "rating", "max", "maximum") && c.has("power", "kw", "w") &&
			c.numeric())
	})
	g.reason = g.best(func(c *column) int { return when(c.has("reason") || c.has("motivo")) })
	g.lat = g.best(func(c *column) int { return when(c.has("lat", "latitude") && c.numeric()) })
	g.lon = g.best(func(c *column) int {
		return when(c.has("lon", "lng", "longitude") && c.numeric())
	})
	for _, c := range []*column{g.energy, g.duration} {
		if c != nil && c.share(func(cell string) bool {
			return decimalOf(cell) == "," &&
				strings.Contains(cell, ",")
		}) > 0 {
			g.decimal = ","
		}
	}
}

func when(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// stationPoints prefers the id of a station to its name, and both to its place.
func stationPoints(c *column) int {
	points := 0
	switch {
	case c.has("type", "typ", "model", "operator", "address", "count", "user", "zone"):
		return 0
	case c.has("station", "stationid", "chargepoint", "cp", "charger", "ladestation",
		"ladesäule", "ladesaeule", "säule", "saeule", "wallbox", "borne", "stazione", "colonnina",
		"estacion", "estación", "laadpaal", "cpid", "cbid", "evse"):
		points = 4
	case c.has("charge", "charging") && c.has("point", "box", "unit"):
		points = 4
	case c.has("location", "site", "garage", "standort", "lieu"):
		points = 2
	default:
		return 0
	}
	if c.has("id", "ref", "code", "stationid", "cpid", "cbid", "nr", "no", "number") {
		points += 4
	}
	if different, all := c.distinct(); all == 0 || different == all && all > 3 {
		points = 1 // each row has its own
	}
	return points
}

func userPoints(c *column) int {
	switch {
	case c.has("operator", "type", "name") && !c.has("id"), c.has("operator"):
		return 0
	case c.has("user", "userid", "customer", "driver", "utente", "nutzer", "benutzer", "kunde",
		"fahrer", "usuario", "cliente", "conducteur", "abonné", "account", "contract", "member",
		"client"):
		return 3 + when(c.has("id"))
	case c.has("card", "karte", "carte", "tarjeta", "tessera", "kaart", "rfid", "tag", "idtag",
		"token", "badge", "evcoid"):
		return 2
	}
	return 0
}

// sessionPoints takes what is unique at its station, or nearly so by a name that says that it is
// meant to be: files have rows twice.
func (g *guess) sessionPoints(c *column) int {
	all := len(slices.DeleteFunc(slices.Clone(c.cells), func(cell string) bool {
		return cell == ""
	}))
	again := g.repeats(c)
	if all == 0 || all < g.rows || 4*again > all || c.has("date", "time") {
		return 0
	}
	switch {
	case c.has("session", "sessionid", "transaction", "transactionid", "transaktion", "txn", "tx",
		"cdr", "sitzung", "sesión", "sesion", "sessione"):
		return 6
	case c.has("log", "event", "record", "charge", "charging", "ladevorgang", "recharge",
		"ricarica"):
		return 4 + when(c.has("id"))
	case again == 0 && c.has("id", "objectid", "nr", "number", "uuid", "key"), len(c.words) == 1 &&
		c.has("id", "uuid"):
		return 2
	}
	return 0
}

// plural is a number of rows, of which so many have something.
func plural(rows, n int) string {
	if n == 1 {
		return fmt.Sprintf("%d rows has", rows)
	}
	return fmt.Sprintf("%d rows have", rows)
}

// repeats is how many rows have the value of an earlier row of their station.
func (g *guess) repeats(c *column) int {
	seen, again := map[string]bool{}, 0
	for i, cell := range c.cells {
		key := cell
		if g.station != nil {
			key += "\x00" + g.station.cells[i]
		}
		if seen[key] {
			again++
		}
		seen[key] = true
	}
	return again
}

func connectorPoints(c *column) int {
	if c.has("type", "typ", "time", "date", "power", "standard") || c.has("in", "out") {
		return 0
	}
	if different, all := c.distinct(); different > 64 && different > all/4 {
		return 0
	}
	switch {
	case c.has("connector", "connectorid", "connecteur", "connettore", "conector", "ladepunkt",
		"anschluss"):
		return 4
	case c.has("plug", "port", "outlet", "socket", "gun", "stecker", "steckdose", "presa",
		"prise"):
		return 3
	}
	return 0
}

// findEnergy takes the column with the finest amounts, and its unit by its name or by its size.
func (g *guess) findEnergy() {
	g.energy = g.best(func(c *column) int {
		switch {
		case c.has("cost", "price", "saving", "savings", "ghg", "co2", "gasoline", "fee", "tariff",
			"rate"), !c.numeric():
			return 0
		case c.has("kwh", "wh", "mwh", "energy", "energia", "energía", "energie", "énergie",
			"consumption", "consumo", "verbrauch", "menge", "delivered", "consumed"):
			return 1 + c.digits()
		}
		return 0
	})
	if g.energy == nil {
		return
	}
	var amounts []int64
	for _, cell := range g.energy.cells {
		if n, ok := wattHoursOf(cell); ok {
			amounts = append(amounts, n/1000)
		}
	}
	slices.Sort(amounts)
	median := amounts[len(amounts)/2]
	switch name := strings.ToLower(g.energy.name); {
	case strings.Contains(name, "kwh"):
		g.energyUnit = "kWh"
	case strings.Contains(name, "mwh"):
		g.energyUnit = "MWh"
	case g.energy.has("wh") || median >= 400:
		g.energyUnit = "Wh"
	default:
		g.energyUnit = "kWh"
	}
}

// digits is how many digits the cell with the most of them has.
func (c *column) digits() int {
	most := 0
	for _, cell := range c.cells {
		n := 0
		for _, r := range cell {
			if r >= '0' && r <= '9' {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// findDuration takes the column that agrees best with the times. A duration that does not is of
// something else, as of the charging within the session.
func (g *guess) findDuration() {
	spans := g.spans()
	unit := map[*column]string{}
	g.duration = g.best(func(c *column) int {
		if !c.has("duration", "durata", "dauer", "duree", "durée", "duración", "time",
			"minutes", "hours", "seconds", "length", "elapsed", "ore", "min") {
			return 0
		}
		most := 0
		for _, u := range []string{"", "s", "min", "h", "ms"} {
			if n := agreement(c, u, spans); n > most {
				most, unit[c] = n, u
			}
		}
		if most < 60 {
			return 0
		}
		return most
	})
	if g.duration != nil {
		g.durationUnit = unit[g.duration]
	}
}

// agreement is how many of a hundred spans a duration in a unit agrees with.
func agreement(c *column, unit string, spans []chargestream.Millis) int {
	n, all := 0, 0
	for i, cell := range c.cells {
		if cell == "" || spans[i] <= 0 {
			continue
		}
		all++
		f := &field{Value: &cell, Unit: unit, marks: marks{decimal: decimalOf(cell)}}
		took, err := f.duration(nil)
		off := max(took-spans[i], spans[i]-took)
		if err == nil && off <= max(slackMin, spans[i]/slackShare) {
			n++
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * n / all
}

// write is the map as YAML.
func (g *guess) write() string {
	var b strings.Builder
	if g.delimiter != ',' {
		fmt.Fprintf(&b, "delimiter: %q\n", string(g.delimiter))
	}
	if g.decimal != "" {
		fmt.Fprintf(&b, "decimal: %q\n", g.decimal)
	}
	if g.start.local() || g.end.local() {
		note := "# CHECK: the zone of the clocks"
		zone := g.zone
		if zone == "" {
			zone, note = "UTC", note+"; nothing in the file says it, such as Europe/Paris"
		}
		fmt.Fprintf(&b, "time_zone: %s   %s\n", zone, note)
	}
	if g.ambiguous {
		b.WriteString("# CHECK: day first and month first both fit the dates\n")
	}
	b.WriteString("sessions:\n")
	g.writeSession(&b)
	g.line(&b, "station_id", g.station, "")
	g.line(&b, "connector_id", g.connector, "")
	g.line(&b, "user_id", g.user, "")
	g.start.write(&b, "start_time")
	g.end.write(&b, "end_time")
	unit := ""
	if g.durationUnit != "" {
		unit = ", unit: " + g.durationUnit
	}
	g.line(&b, "duration", g.duration, unit)
	g.line(&b, "energy", g.energy, ", unit: "+g.energyUnit)
	g.line(&b, "end_reason", g.reason, "")
	if g.station == nil {
		return b.String()
	}
	b.WriteString("stations:\n")
	g.line(&b, "station_id", g.station, "")
	g.line(&b, "name", g.name, "")
	g.line(&b, "lat", g.lat, "")
	g.line(&b, "lon", g.lon, "")
	g.line(&b, "connector_type", g.kind, "")
	rating := "max_power_kw"
	if g.rating != nil && (g.rating.has("w") || g.rating.digits() > 3 && !g.rating.has("kw")) {
		rating = "max_power_w"
	}
	g.line(&b, rating, g.rating, "")
	b.WriteString("  # tariff_id: {value: my-tariff}\n")
	return b.String()
}

// writeSession writes the session's id: a column, or what tells rows apart.
func (g *guess) writeSession(b *strings.Builder) {
	if g.session != nil {
		fmt.Fprintf(b, "  session_id: {column: %q}", g.session.name)
		if n := g.repeats(g.session); n > 0 {
			fmt.Fprintf(b, "   # CHECK: %d of %s that of an earlier row of the station", n,
				plural(g.rows, n))
		}
		b.WriteString("\n")
		return
	}
	var parts []string
	for _, c := range append([]*column{g.station, g.connector}, g.start.columns...) {
		if c != nil {
			parts = append(parts, fmt.Sprintf("%q", c.name))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "  session_id: {join: [%s], with: \"_\"}   # CHECK: no column is unique\n",
			strings.Join(parts, ", "))
	}
}

func (g *guess) line(b *strings.Builder, field string, c *column, more string) {
	if c != nil {
		fmt.Fprintf(b, "  %s: {column: %q%s}\n", field, c.name, more)
	}
}
