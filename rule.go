package chargestream

// The rules by which time is judged. Each is judged per record from its two times, event time
// and arrival time, never from a clock, so that a replay judges alike.
const (
	// Grace is how long after its end a window is closed and a session settled. Of the real session
	// records of Paris (2017) the median was stored half a minute after the session's start, the
	// 95th percentile 101 s after.
	Grace = 10 * Minute
	// TariffDelay is how long after its arrival a tariff counts. Every instance reads the tariffs
	// into a copy of its own, which may be behind by up to half of it; an instance whose copy is
	// further behind does not fold. Within the delay a bill does not depend on how far it is.
	TariffDelay = 2 * Minute
	// OverdueAfter is how long after its start a session without an end is called not ended.
	OverdueAfter = Day
	// SkewTolerance is how far a station's clock may be ahead before its bill is held; SteVe's
	// validator uses the same five minutes.
	SkewTolerance = 5 * Minute
	// FutureLimit is how far ahead an event may be before it is refused.
	FutureLimit = Day
	// StatusHold is how long a status is believed that nothing renewed.
	StatusHold = 7 * Day
	// LateBill is the raster of corrections: what arrives after a session was settled is billed at
	// the end of the quarter hour in which it arrived.
	LateBill = Quarter
	// PowerLimit is the rating of a connector that the registry does not tell: more than any that
	// serves cars.
	PowerLimit Watts = 1_000_000
	// SessionSpanMax bounds how many days of windows one session is spread over.
	SessionSpanMax = 31 * Day
)
