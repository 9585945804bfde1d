package replay

import (
	"chargestream"
	"chargestream/engine"
	"chargestream/tables"
	"chargestream/topics"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// cuts are the partitions of inputs whose first records are kept no longer, with the arrival of the
// first that is kept; zero where none is.
type cuts map[place]chargestream.Millis

func (c cuts) begins(topic string, partition int32) { c[place{topic, partition}] = 0 }

// note takes a record in the order of its partition.
func (c cuts) note(m *engine.Message) {
	at := place{m.Topic, m.Partition}
	if first, ok := c[at]; ok && first == 0 {
		c[at] = chargestream.Millis(m.Arrival)
	}
}

// lacks reports whether records of a topic are gone that happened at a moment or later. A record
// may arrive FutureLimit before it happened.
func (c cuts) lacks(topic string, partition int32, at chargestream.Millis) bool {
	first, ok := c[place{topic, partition}]
	return ok && (first == 0 || at < first+chargestream.FutureLimit)
}

// spoils reports whether the rows of a table, of which live is one, rest on records that are gone,
// so that a replay cannot make it.
func (c cuts) spoils(table string, partition int32, key string, live []byte) bool {
	if len(c) == 0 {
		return false
	}
	switch table {
	case topics.TableStations: // the newest of all that the station sent
		for _, topic := range stationInputs() {
			if _, ok := c[place{topic, partition}]; ok {
				return true
			}
		}
	case topics.TableHours:
		return c.spoilHour(partition, key)
	case topics.TableSessions:
		s, err := tables.DecodeSession(live)
		return err == nil && c.spoilSession(partition, s)
	}
	return false
}

func stationInputs() []string {
	return []string{topics.ChargingSessions, topics.StationStatus, topics.MeterValues,
		topics.Heartbeats}
}

func (c cuts) spoilHour(partition int32, key string) bool {
	k, err := tables.ParseHourKey(key)
	if err != nil {
		return false
	}
	return c.lacks(topics.StationStatus, partition, k.Start-chargestream.StatusHold) ||
		c.lacks(topics.MeterValues, partition, k.Start) ||
		c.lacks(topics.Heartbeats, partition, k.Start) ||
		c.lacks(topics.ChargingSessions, partition, k.Start-chargestream.SessionSpanMax)
}

func (c cuts) spoilSession(partition int32, s *tables.Session) bool {
	windows := s.Windows()
	if len(windows) == 0 { // decisions, and perhaps samples, of a session that never began
		_, ok := c[place{topics.ChargingSessions, partition}]
		return ok
	}
	return c.lacks(topics.StationStatus, partition, windows[0]) ||
		c.lacks(topics.MeterValues, partition, windows[0]) ||
		c.lacks(topics.ChargingSessions, partition, windows[0]-chargestream.SessionSpanMax)
}
