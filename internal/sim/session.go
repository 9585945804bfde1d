package sim

import (
	"math/rand/v2"
	"strconv"

	"chargestream"
)

// mWsPerWh is milliwatt-seconds in a Wh: W times ms, in which energy is integrated.
const mWsPerWh = 3_600_000

// Status words of OCPP 1.6.
const (
	statusAvailable   = "Available"
	statusPreparing   = "Preparing"
	statusCharging    = "Charging"
	statusSuspendedEV = "SuspendedEV"
	statusFinishing   = "Finishing"
	statusFaulted     = "Faulted"
	statusUnavailable = "Unavailable"
)

// ReadingContext words of OCPP 1.6.
const (
	contextBegin    = "Transaction.Begin"
	contextPeriodic = "Sample.Periodic"
	contextPause    = "Interruption.Begin"
	contextEnd      = "Transaction.End"
)

// Assumptions on what no figure is known of.
const (
	authorizeMin = 2 * chargestream.Second // plug to start
	authorizeMax = 20 * chargestream.Second
	unplugMin    = 5 * chargestream.Second // end to free
	unplugMax    = chargestream.Minute
	outMin       = 10 * chargestream.Minute // how long a connector is out of order
	outMax       = 2 * chargestream.Hour

	outPerMille    = 8  // of sessions, after how many the connector goes out of order
	ripplePerMille = 10 // by how much power differs from one sample to the next
)

// StayMax bounds a session. It cuts the longest stays of the sources (up to a week), so that a
// world without faults has no session that is overdue (chargestream.OverdueAfter).
const StayMax = 23 * chargestream.Hour

// stayMin is the shortest session.
const stayMin = 10 * chargestream.Second

// powerMin is what IEC 61851 lets a vehicle draw at least: 6 A on one phase of 230 V.
const powerMin = 1380

// phase is what a connector does.
type phase uint8

const (
	phaseOff phase = iota // before its first word, or out of order
	phaseFree
	phasePreparing
	phaseCharging
	phaseIdle
	phaseFinishing
)

type connector struct {
	station  int32
	class    class
	phase    phase
	id       chargestream.ConnectorID
	power    chargestream.Watts // rated
	register chargestream.WattHours
	rest     int64 // mWs above the register
	meterAt  chargestream.Millis
	session  session
}

// plan is what a vehicle wants, drawn when it plugs in.
type plan struct {
	stay    chargestream.Millis // from start to end
	energy  chargestream.WattHours
	power   chargestream.Watts     // at the most
	battery chargestream.WattHours // DC only, else zero
	soc     chargestream.Permille  // DC only: at the start
}

type session struct {
	plan   plan
	user   chargestream.UserID
	begun  *chargestream.SessionStart
	ghost  *chargestream.SessionStart
	faults sessionFaults
	endAt  chargestream.Millis
	since  chargestream.Millis    // until when taken is counted
	power  chargestream.Watts     // from since on
	taken  int64                  // mWs
	read   chargestream.WattHours // by the last sample
}

// sample is a MeterValue and what it points to, in one piece of memory.
type sample struct {
	value  chargestream.MeterValue
	energy chargestream.WattHours
	power  chargestream.Watts
	soc    chargestream.Permille
}

// dcCurve is the power of a vehicle by its state of charge, both in thousandths: the Aiways U5 of
// shared/data/dc-curves, a curve without bumps.
var dcCurve = [...]struct{ soc, power int64 }{
	{0, 1000}, {180, 947}, {400, 947}, {800, 526}, {1000, 69},
}

// taper is the share of its highest power that a vehicle takes at this state of charge.
func taper(soc chargestream.Permille) int64 {
	for i := 1; i < len(dcCurve); i++ {
		if low, high := dcCurve[i-1], dcCurve[i]; int64(soc) <= high.soc {
			return low.power + (high.power-low.power)*(int64(soc)-low.soc)/(high.soc-low.soc)
		}
	}
	return dcCurve[len(dcCurve)-1].power
}

// socNow is the state of charge after what was taken.
func (s *session) socNow() chargestream.Permille {
	return min(1000, s.plan.soc+chargestream.Permille(s.taken/(int64(s.plan.battery)*3600)))
}

// draw is the power that the vehicle takes until its next sample.
func (c *connector) draw(rng *rand.Rand) chargestream.Watts {
	power := int64(c.session.plan.power)
	if c.session.plan.battery > 0 {
		power = power * taper(c.session.socNow()) / 1000
	}
	power += power * (rng.Int64N(2*ripplePerMille+1) - ripplePerMille) / 1000
	return min(max(chargestream.Watts(power), 1), c.power)
}

// sessionID is unique to the connector and the moment, so that two runs of one world with
// different starts can share a broker.
func (c *connector) sessionID(now chargestream.Millis) chargestream.SessionID {
	station := c.session.begun.StationID
	moment := strconv.FormatInt(int64(now), 36)
	return chargestream.SessionID(string(station) + "-" + string(c.id) + "-" + moment)
}

// stepConnector lets the connector do what is due.
func (w *World) stepConnector(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	switch c.phase {
	case phaseOff:
		w.release(index, now)
	case phasePreparing:
		w.begin(index, now)
	case phaseCharging, phaseIdle:
		w.run(index, now)
	case phaseFinishing:
		w.leave(index, now)
	}
}

func (w *World) report(c *connector, status, code string, now chargestream.Millis) {
	w.emit(c.station, TopicStatus, &chargestream.StatusReport{
		StationID: w.stations[c.station].info.StationID, ConnectorID: c.id, Time: now,
		Status: status, ErrorCode: code}, now)
}

// plugIn lets a vehicle take a free connector of the class. Where none is free it drives on: the
// figures are of sessions, and so of vehicles that found a connector.
func (w *World) plugIn(class class, now chargestream.Millis) {
	free := w.free[class]
	if len(free) == 0 {
		return
	}
	at, last := w.rng.IntN(len(free)), len(free)-1
	index := free[at]
	free[at] = free[last]
	w.free[class] = free[:last]

	c := &w.connectors[index]
	c.phase = phasePreparing
	c.session = session{plan: w.draw(c), user: w.user(class)}
	w.report(c, statusPreparing, "", now)
	w.wakes.push(now+between(w.rng, authorizeMin, authorizeMax), wake{wakeConnector, index})
}

// draw is the plan of the vehicle that takes this connector.
func (w *World) draw(c *connector) plan {
	var drawn plan
	if c.class == classDepot {
		drawn = w.companyCar(c)
	} else {
		drawn = visitor(w.rng, c)
	}
	drawn.stay = min(max(drawn.stay, stayMin), StayMax)
	drawn.power = min(max(drawn.power, powerMin), c.power)
	return drawn
}

func (w *World) begin(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	s, register := &c.session, c.register
	s.begun = &chargestream.SessionStart{StationID: w.stations[c.station].info.StationID,
		ConnectorID: c.id, UserID: s.user, Time: now, Meter: &register}
	s.begun.SessionID = c.sessionID(now)
	s.since, s.endAt, s.faults = now, now+s.plan.stay, w.drawFaults()
	s.read = c.register
	c.meterAt = now + w.cfg.MeterEvery
	w.emit(c.station, TopicSessions, s.begun, now)
	w.sample(c, contextBegin, now)
	if s.plan.energy > 0 {
		c.phase = phaseCharging
		w.report(c, statusCharging, "", now)
	} else {
		c.phase = phaseIdle
		w.report(c, statusSuspendedEV, "", now)
	}
	w.flow(index, now)
}

// flow sets the power until the next thing happens: a sample, a full battery or the end. Power
// is constant in between, so that a sample tells the power of all the time before it.
func (w *World) flow(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	s := &c.session
	next := min(c.meterAt, s.endAt)
	s.power = 0
	if c.phase == phaseCharging {
		s.power = c.draw(w.rng)
		left := int64(s.plan.energy)*mWsPerWh - s.taken
		full := (left + int64(s.power) - 1) / int64(s.power)
		next = min(next, now+chargestream.Millis(full))
	}
	w.wakes.push(next, wake{wakeConnector, index})
}

// count adds what flowed until now to the register.
func (c *connector) count(now chargestream.Millis) {
	s := &c.session
	flowed := int64(s.power) * int64(now-s.since)
	s.since = now
	s.taken += flowed
	c.rest += flowed
	c.register += chargestream.WattHours(c.rest / mWsPerWh)
	c.rest %= mWsPerWh
}

// run goes on with a session.
func (w *World) run(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	s := &c.session
	c.count(now)
	switch {
	case now >= s.endAt:
		w.end(index, now)
		return
	case c.phase == phaseCharging && s.taken >= int64(s.plan.energy)*mWsPerWh:
		w.sample(c, contextPause, now)
		c.phase = phaseIdle
		w.report(c, statusSuspendedEV, "", now)
	default:
		w.sample(c, contextPeriodic, now)
		if s.faults.overlap {
			w.openGhost(c, now)
		}
	}
	if c.meterAt <= now {
		c.meterAt += w.cfg.MeterEvery
	}
	w.flow(index, now)
}

func (w *World) end(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	s, register := &c.session, c.register
	w.sample(c, contextEnd, now)
	end := &chargestream.SessionEnd{StationID: s.begun.StationID, ConnectorID: c.id,
		SessionID: s.begun.SessionID, UserID: s.user, Time: now, Meter: &register,
		Reason: w.reason(c.class)}
	if !s.faults.noEnd {
		w.emit(c.station, TopicSessions, end, now)
	}
	if s.faults.again {
		w.deliverAgain(c, end)
	}
	w.closeGhost(c, now)
	c.phase = phaseFinishing
	w.report(c, statusFinishing, "", now)
	w.wakes.push(now+between(w.rng, unplugMin, unplugMax), wake{wakeConnector, index})
}

// leave lets the vehicle go; now and then the connector goes out of order with it.
func (w *World) leave(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	if c.class == classDepot {
		w.fleet = append(w.fleet, c.session.user)
	}
	c.session = session{}
	if w.rng.IntN(1000) >= outPerMille {
		w.release(index, now)
		return
	}
	c.phase = phaseOff
	switch w.rng.IntN(3) {
	case 0:
		w.report(c, statusUnavailable, "", now)
	case 1:
		w.report(c, statusFaulted, "ConnectorLockFailure", now)
	default:
		w.report(c, statusFaulted, "GroundFailure", now)
	}
	w.wakes.push(now+between(w.rng, outMin, outMax), wake{wakeConnector, index})
}

func (w *World) release(index int32, now chargestream.Millis) {
	c := &w.connectors[index]
	c.phase = phaseFree
	w.free[c.class] = append(w.free[c.class], index)
	w.report(c, statusAvailable, "", now)
}

// sample sends the register, the power since the last sample and, of DC, the state of charge.
func (w *World) sample(c *connector, context string, now chargestream.Millis) {
	s := &c.session
	s.read = w.reading(c, context)
	m := &sample{energy: s.read, power: s.power}
	m.value = chargestream.MeterValue{StationID: s.begun.StationID, ConnectorID: c.id,
		SessionID: s.begun.SessionID, Time: now, Energy: &m.energy, Power: &m.power,
		Context: context}
	if s.plan.battery > 0 {
		m.soc = s.socNow()
		m.value.SoC = &m.soc
	}
	w.emit(c.station, TopicMeter, &m.value, now)
}
