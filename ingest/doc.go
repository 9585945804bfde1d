// Package ingest is the way in of files: it reads charging sessions that somebody else recorded,
// with the stations that they name and the tariffs that price them, and gives them back as the
// records that the input topics hold.
//
// It refuses to know what a broker is, where a file lies and what is done with an event. The same
// bytes always give the same records in the same order; the wall clock is never asked.
//
// # Column maps
//
// Every export names its columns differently. A column map, a YAML file, says where each field
// is. Unknown keys are errors.
//
//	delimiter: ","              # one character; a comma if left out
//	decimal: ","                # decimal mark of all numbers
//	thousands: "."              # mark between thousands
//	time_zone: Europe/Oslo      # of all times that have no zone of their own
//	absent: [Sconosciuto]       # words that stand for nothing, in all fields
//	sessions:
//	  session_id:     {column: record_id}
//	  station_id:     {column: station_ref}
//	  connector_id:   {columns: [plug_ref, charge_point_ref]}
//	  user_id:        {column: user}
//	  start_time:     {column: started_at, format: epoch_s}
//	  end_time:       {column: stopped_at, format: epoch_s, absent: ["", "0"]}
//	  duration:       {column: took, unit: h}  # or 1:29:40, without a unit
//	  energy:         {column: energy, unit: kWh}  # or energy_wh, energy_kwh without a unit
//	  meter_start_wh: {column: meter_start}
//	  meter_stop_wh:  {column: meter_stop}
//	  end_reason:     {column: stop_reason}
//	  arrival_time:   {column: ingested_at, format: epoch_s}
//	  end_arrival:    later_of_arrival_and_end
//	stations:
//	  station_id:     {column: station_ref}
//	  name:           {column: station_name}
//	  lat:            {column: lat}
//	  lon:            {column: lon}
//	  connector_type: {column: connector_type}
//	  max_power_kw:   {column: rated_kw}   # or max_power_w, of the connector
//	  tariff_id:      {value: belib}
//	  time_zone:      {value: Europe/Paris}
//
// A field is one of: column, a column by its name in the header; columns, of which the first that
// is not absent counts; join, columns whose texts are joined by a blank or by what with says, as a
// date and a time, or the parts of an id; value, the same text on every row. Space around a value
// is cut off. An empty value is absent, and so is every text that a list absent names, and what
// exports write for nothing, in any case: NA, N/A, NULL, None, NaN, \N, - and the like.
//
// A time has a format, or formats of which the first that fits counts: epoch_s or epoch_ms
// (decimal, since 1970 in UTC), unix, which is either by its size, rfc3339, iso8601, or a layout
// in the notation of Go's package time, such as "02/01/2006 15:04". A time without an offset needs
// a time_zone, an IANA name, or a zone_column, whose cells are offsets, IANA names or abbreviations
// such as MST: those that the time_zone uses, and those that mean one offset everywhere. 0, and a
// time within a day and a half of 1970-01-01T00:00:00Z, is absent.
//
// Of a time that the clocks showed twice the moment is meant that agrees with the duration, where
// one is told; else the end is not before the start, and the session overlaps no other one of its
// connector; else the earlier one is meant. A time that the clocks skipped is read as if they had
// not been set yet. Both are told in the summary.
//
// Numbers have a decimal point, unless decimal says otherwise or the number can have only a comma:
// "19,96" and "1.234,5" are read, "1,234" makes the row bad. A cell may name its unit ("17 kWh").
// What is below one Wh is rounded half away from zero.
//
// session_id, station_id and start_time are required; the bill of a row without a user is held. A
// row without end_time ends after its duration; without that too it is a session that has only
// started: its energy is counted in the summary, but not told, as no event could carry it. Without
// connector_id the session is at connector 1. Without arrival_time an event arrived when it
// happened.
//
// arrival_time is when the row was first stored. A start has it as its arrival. What an end has
// is said by end_arrival: with later_of_arrival_and_end, the default, no end arrives before it
// happened, which is right where rows are stored at the start and completed later; with arrival
// it arrives with the row.
//
// # Summary and guess
//
// Summary says what a file holds as a whole, and what looks wrong with it. Guess proposes a map for
// a file, by the names of its columns and by what is in them.
//
// # Stations
//
// The section stations is optional. It makes registry entries of the same rows, one a station;
// where rows differ the last one counts. The other fields are site_id, region and connector_id,
// which is that of the sessions if it is left out. A connector's type is the one that its rows
// name most often, as an export that tells which of several cables was in use names many; of
// equals it is the first in the alphabet.
package ingest
