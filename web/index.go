package web

import (
	"bytes"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// indexPage is plain on purpose: it is for a person who has only the address.
const indexPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>chargestream</title>
</head>
<body>
<main>
<h1>chargestream</h1>
<p>Read-only API over the views. The parameters of each resource are in
<a href="/openapi.json">/openapi.json</a>.</p>
<dl>
{{- range .}}
<dt>{{if .Link}}<a href="{{.Path}}">{{.Path}}</a>{{else}}<code>{{.Path}}</code>{{end}}</dt>
<dd>{{.Summary}}</dd>
{{- end}}
</dl>
</main>
</body>
</html>
`

// resource is one line of the index page.
type resource struct {
	Path    string
	Summary string
}

// Link reports whether the path can be followed as it is.
func (r resource) Link() bool { return !strings.Contains(r.Path, "{") }

// resources are all that is served, by path.
func resources(document *huma.OpenAPI, o *Options) []resource {
	list := []resource{{"/openapi.json", "This API as an OpenAPI 3.1 document"}}
	if o.Metrics != nil {
		list = append(list, resource{"/metrics", "Metrics for Prometheus"})
	}
	if o.Profiles != nil {
		list = append(list, resource{"/debug/pprof/", "Profiles of the process, for go tool pprof"})
	}
	for path, item := range document.Paths {
		list = append(list, resource{path, item.Get.Summary})
	}
	slices.SortFunc(list, func(a, b resource) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// writeIndex is the index page.
func writeIndex(list []resource) ([]byte, error) {
	page, err := template.New("index").Parse(indexPage)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := page.Execute(&out, list); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
