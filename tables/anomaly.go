package tables

import (
	"maps"

	"chargestream"
)

// EvidenceWithdrawn marks an anomaly that never was one: it was told because an event that had
// arrived before was read after.
const EvidenceWithdrawn = "withdrawn"

// AnomalyChanges are the records that must be sent when the anomalies of a row were before and
// are now: those that are new or say something else, and, closed at the moment at and marked as
// withdrawn, those that are no more. A day of skewed clocks that a station keeps no longer is not
// withdrawn by that.
func AnomalyChanges(
	before, now []chargestream.Anomaly,
	at chargestream.Millis,
) []chargestream.Anomaly {
	var changes []chargestream.Anomaly
	for _, a := range now {
		if old := findAnomaly(before, a.AnomalyID); old == nil || !sameAnomaly(old, &a) {
			changes = append(changes, a)
		}
	}
	for _, a := range before {
		forgotten := a.Kind == chargestream.AnomalyClockSkew && a.ClosedAt != 0
		if !forgotten && findAnomaly(now, a.AnomalyID) == nil {
			a.ClosedAt, a.BillingHold = max(at, a.OpenedAt), false
			evidence := map[string]string{EvidenceWithdrawn: "true"}
			maps.Copy(evidence, a.Evidence)
			a.Evidence = evidence
			changes = append(changes, a)
		}
	}
	return changes
}

func findAnomaly(list []chargestream.Anomaly, id string) *chargestream.Anomaly {
	for i := range list {
		if list[i].AnomalyID == id {
			return &list[i]
		}
	}
	return nil
}

func sameAnomaly(a, b *chargestream.Anomaly) bool {
	return a.Kind == b.Kind && a.Severity == b.Severity && a.StationID == b.StationID &&
		a.ConnectorID == b.ConnectorID && a.SessionID == b.SessionID &&
		a.OpenedAt == b.OpenedAt && a.ClosedAt == b.ClosedAt &&
		a.BillingHold == b.BillingHold && maps.Equal(a.Evidence, b.Evidence)
}
