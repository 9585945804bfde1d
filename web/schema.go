package web

import (
	"net/http"
	"reflect"
	"time"

	"chargestream"

	"github.com/danielgtaylor/huma/v2"
)

// apiVersion is the version of the API's contract, not of the program.
const apiVersion = "1.0.0"

// operation describes a resource that can only be read.
func operation(id, path, summary, description string) huma.Operation {
	return huma.Operation{
		OperationID: id,
		Method:      http.MethodGet,
		Path:        path,
		Summary:     summary,
		Description: description,
	}
}

// words is the schema of a text that is one of a few words.
func words[T ~string](list ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, word := range list {
		s.Enum = append(s.Enum, string(word))
	}
	return s
}

// config is what huma serves, and how the words of the root package stand in JSON.
func config() huma.Config {
	c := huma.DefaultConfig("chargestream", apiVersion)
	c.Info.Description = "What charging stations said, as it stands now: read-only. Times are " +
		"RFC 3339 in UTC, energy is whole watt-hours, money is decimal text. Errors are problem " +
		"details (RFC 9457). Clients must ignore fields that they do not know."
	// The document is written once by the handler. huma's own page of it loads its renderer from
	// a foreign host, and its links to schemas would stand in every body.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.AllowAdditionalPropertiesByDefault = true
	c.Transformers = []huma.Transformer{detailProblem}
	alias := c.Components.Schemas.RegisterTypeAlias
	alias(reflect.TypeFor[chargestream.Millis](), reflect.TypeFor[time.Time]())
	alias(reflect.TypeFor[chargestream.State](), reflect.TypeFor[stateWord]())
	alias(reflect.TypeFor[chargestream.SessionPhase](), reflect.TypeFor[phaseWord]())
	alias(reflect.TypeFor[chargestream.InvoiceKind](), reflect.TypeFor[invoiceKindWord]())
	alias(reflect.TypeFor[chargestream.InvoiceStatus](), reflect.TypeFor[invoiceStatusWord]())
	alias(reflect.TypeFor[chargestream.HoldReason](), reflect.TypeFor[holdReasonWord]())
	alias(reflect.TypeFor[chargestream.AnomalyKind](), reflect.TypeFor[anomalyKindWord]())
	alias(reflect.TypeFor[chargestream.Severity](), reflect.TypeFor[severityWord]())
	return c
}

// settleSchemas says that lists are never null, which huma takes them to be: those that may be
// empty are written as [], the others are left out.
func settleSchemas(registry huma.Registry) {
	for _, schema := range registry.Map() {
		for _, property := range schema.Properties {
			if property.Type == huma.TypeArray {
				property.Nullable = false
			}
		}
	}
}
