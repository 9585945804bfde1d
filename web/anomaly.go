package web

import (
	"context"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// AnomalyFilter is which anomalies are asked for; what is empty is any.
type AnomalyFilter struct {
	Open      bool // only those that are not closed
	Kind      chargestream.AnomalyKind
	StationID chargestream.StationID
	Page      Page
}

// AnomalyKey is the key by which anomalies are listed: the anomaly's id.
func AnomalyKey(n *chargestream.Anomaly) string { return n.AnomalyID }

// Matches reports whether an anomaly is asked for, whatever its page.
func (f *AnomalyFilter) Matches(n *chargestream.Anomaly) bool {
	return (!f.Open || n.ClosedAt == 0) &&
		(f.Kind == "" || n.Kind == f.Kind) &&
		(f.StationID == "" || n.StationID == f.StationID)
}

// anomalyKindWord is a chargestream.AnomalyKind with its words in the schema.
type anomalyKindWord string

// Schema implements huma.SchemaProvider.
func (anomalyKindWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.AnomalyKinds()...)
}

// severityWord is a chargestream.Severity with its words in the schema.
type severityWord string

// Schema implements huma.SchemaProvider.
func (severityWord) Schema(huma.Registry) *huma.Schema {
	return words(chargestream.SeverityInfo, chargestream.SeverityWarning)
}

type anomaliesInput struct {
	Open      bool                   `query:"open" enum:"true" doc:"Only those not closed"`
	Kind      anomalyKindWord        `query:"kind" doc:"Anomalies of this kind"`
	StationID chargestream.StationID `query:"station_id" doc:"Anomalies of this station"`
	PageInput
}

func (a *api) registerAnomalies(h huma.API) {
	huma.Register(h, operation("list-anomalies", "/api/v1/anomalies", "Anomalies",
		"Lists anomalies by anomaly_id, the closed ones too unless open=true."), a.anomalies)
}

func (a *api) anomalies(
	ctx context.Context, in *anomaliesInput,
) (*listOutput[chargestream.Anomaly], error) {
	f := AnomalyFilter{
		Open:      in.Open,
		Kind:      chargestream.AnomalyKind(in.Kind),
		StationID: in.StationID,
	}
	read := func(p Page) ([]chargestream.Anomaly, error) {
		f.Page = p
		return a.source.Anomalies(ctx, f)
	}
	found, err := readList(ctx, a, "anomalies", in.PageInput, AnomalyKey, read)
	if err != nil {
		return nil, err
	}
	return &listOutput[chargestream.Anomaly]{Body: found}, nil
}
