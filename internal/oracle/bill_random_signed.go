package oracle

import (
	"fmt"
	"strings"
	"time"
)

// signed signs begin and end where the connector is calibrated, with one thing wrong now and then.
func (d *draw) signed() {
	if !d.f.Registry[0].Calibrated || len(d.f.Starts) == 0 || len(d.f.Ends) == 0 || d.chance(10) {
		return
	}
	value := func(page int, serial, quality string, readings ...string) string {
		return fmt.Sprintf(
			`OCMF|{"FV":"1.0","GI":"GW","GS":"1","PG":"T%d","MV":"M","MM":"M","MS":%q,`+
				`"IS":false,"IF":[],"IT":"NONE","ID":"","RD":[%s]}|{"SA":"ECDSA-secp256r1-SHA256",`+
				`"SD":"3006020101020101"}`,
			page,
			serial,
			strings.ReplaceAll(strings.Join(readings, ","), "Q", quality),
		)
	}
	reading := func(ms int64, kind string, wh int64) string {
		at := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05,000-0700")
		return fmt.Sprintf(`{"TM":"%s S","TX":%q,"RV":%d.%03d,"RI":"1-b:1.8.0","RU":"kWh",`+
			`"RT":"AC","EF":"","ST":"Q"}`, at, kind, wh/1000, wh%1000)
	}
	page, serial, quality, kind := 8, "M-1", "G", "E"
	wh := d.registerWh + d.energyWh
	switch d.rng.IntN(10) {
	case 0:
		page = 9
	case 1:
		serial = "M-2"
	case 2:
		quality = "M"
	case 3:
		kind = "C"
	case 4:
		wh += 3
	}
	begin := reading(d.startMs, "B", d.registerWh)
	// Both in the end, as some stations, and all records of both, have it.
	if d.chance(30) || d.f.Starts[0].RecordMs != 0 {
		for i := range d.f.Ends {
			d.f.Ends[i].Signed = value(page, serial, quality, begin, reading(d.endMs, kind, wh))
		}
		return
	}
	for i := range d.f.Starts {
		d.f.Starts[i].Signed = value(7, "M-1", "G", begin)
	}
	for i := range d.f.Ends {
		d.f.Ends[i].Signed = value(page, serial, quality, reading(d.endMs, kind, wh))
	}
}
