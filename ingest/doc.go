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
//	sessions:
//	  session_id:     {column: record_id}
//	  station_id:     {column: station_ref}
//	  connector_id:   {columns: [plug_ref, charge_point_ref]}
//	  user_id:        {column: user}
//	  start_time:     {column: started_at, format: epoch_s}
//	  end_time:       {column: stopped_at, format: epoch_s, absent: ["", "0"]}
//	  energy_wh:      {column: energy_wh}      # or energy_kwh
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
//	  tariff_id:      {value: belib}
//	  time_zone:      {value: Europe/Paris}
//
// A field is one of: column, a column by its name in the header; columns, of which the first that
// is not absent counts; value, the same text on every row. Space around a value is cut off. An
// empty value is absent, and so is every text that the list absent names.
//
// A time has a format: epoch_s or epoch_ms (decimal, since 1970 in UTC), rfc3339, or a layout in
// the notation of Go's package time, such as "02/01/2006 15:04". A layout without an offset needs
// a time_zone, an IANA name. Of a time that the clocks showed twice the earlier is meant; one
// that they skipped makes the row bad.
//
// Energies are decimal; what is below one Wh is rounded half away from zero.
//
// session_id, station_id, user_id and start_time are required; the bill of a row without a user
// is held. A row without end_time is a
// session that has only started: its energy is not told, as no event could carry it. Without
// connector_id the session is at connector 1. Without arrival_time an event arrived when it
// happened.
//
// arrival_time is when the row was first stored. A start has it as its arrival. What an end has
// is said by end_arrival: with later_of_arrival_and_end, the default, no end arrives before it
// happened, which is right where rows are stored at the start and completed later; with arrival
// it arrives with the row.
//
// The section stations is optional. It makes registry entries of the same rows, one a station;
// where rows differ the last one counts. The other fields are site_id, region and connector_id,
// which is that of the sessions if it is left out. A connector's type is the one that its rows
// name most often, as an export that tells which of several cables was in use names many; of
// equals it is the first in the alphabet.
package ingest
