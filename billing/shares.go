package billing

import (
	"chargestream"
	"chargestream/tables"
)

// Shares gives the part of a session's energy that falls into each hour that it touches, on the
// connector of the start that counts. They add up to the energy of the session exactly. There are
// none before both start and end arrived.
func Shares(
	s *tables.Session,
	share func(hour chargestream.Millis, energy chargestream.WattHours),
) {
	if !s.Both() {
		return
	}
	m := meterOf(s)
	curve := m.curveOf(m.energy())
	for _, hour := range s.Windows() {
		share(hour, curve.share(hour, hour+chargestream.Hour))
	}
}
