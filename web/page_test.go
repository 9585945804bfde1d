package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"chargestream"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// walk follows a list to its end.
func walk[T any](t *testing.T, h http.Handler, target string, limit int) ([]T, int) {
	t.Helper()
	var all []T
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for pages := 1; ; pages++ {
		got := get[items[T]](t, h, target+"?"+query.Encode())
		if len(got.Items) > limit || len(got.Items) == 0 && pages > 1 {
			t.Fatalf("page %d of %s has %d items of at most %d", pages, target,
				len(got.Items), limit)
		}
		all = append(all, got.Items...)
		if got.Next == "" {
			return all, pages
		}
		if pages > 1000 {
			t.Fatalf("%s does not end", target)
		}
		query.Set("cursor", got.Next)
	}
}

func TestPagesCoverEachList(t *testing.T) {
	source := city()
	h := handlerOf(source)
	for limit := 1; limit <= 13; limit++ {
		checkWalk(t, h, "/api/v1/stations", limit, source.stations, web.StationKey)
		checkWalk(t, h, "/api/v1/utilization", limit, source.utilization, web.UtilizationKey)
		checkWalk(t, h, "/api/v1/anomalies", limit, source.anomalies, web.AnomalyKey)
		checkWalk(t, h, "/api/v1/invoices", limit, source.invoices, web.InvoiceKey)
	}
}

func checkWalk[T any](
	t *testing.T, h http.Handler, target string, limit int, want []T, key func(*T) string,
) {
	t.Helper()
	keys := func(items []T) []string {
		var keys []string
		for i := range items {
			keys = append(keys, key(&items[i]))
		}
		return keys
	}
	got, pages := walk[T](t, h, target, limit)
	sorted := keys(want)
	slices.Sort(sorted)
	if diff := cmp.Diff(sorted, keys(got)); diff != "" {
		t.Errorf("%s by %d (-want +got):\n%s", target, limit, diff)
	}
	if least := (len(want) + limit - 1) / limit; pages != least {
		t.Errorf("%s by %d: %d pages instead of %d", target, limit, pages, least)
	}
}

// Whatever the ids are, every station comes exactly once and in order.
func TestPagesCoverAnyIDs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.StringOfN(rapid.SampledFrom([]rune("ab/*:%\\\"é~ \U0001F50C")), 1, 6, -1)
		ids := rapid.SliceOfDistinct(id, rapid.ID[string]).Draw(r, "ids")
		source := &memory{}
		for _, id := range ids {
			source.stations = append(source.stations,
				chargestream.StationState{StationID: chargestream.StationID(id)})
		}
		limit := rapid.IntRange(1, 7).Draw(r, "limit")
		got, _ := walk[chargestream.StationState](t, handlerOf(source), "/api/v1/stations", limit)
		slices.Sort(ids)
		var walked []string
		for _, s := range got {
			walked = append(walked, string(s.StationID))
		}
		if !slices.Equal(ids, walked) {
			r.Fatalf("walked %q instead of %q", walked, ids)
		}
	})
}

// A list that changes between two pages neither repeats nor loses what stayed.
func TestPagesOfAChangingList(t *testing.T) {
	source := &memory{}
	for _, id := range []chargestream.StationID{"b", "d", "f"} {
		source.stations = append(source.stations, chargestream.StationState{StationID: id})
	}
	h := handlerOf(source)
	first := get[items[chargestream.StationState]](t, h, "/api/v1/stations?limit=2")
	// The last station of the first page goes, one comes before it and one after it.
	source.stations[1].StationID = "a"
	source.stations = append(source.stations, chargestream.StationState{StationID: "e"})
	rest := get[items[chargestream.StationState]](t, h,
		"/api/v1/stations?limit=2&cursor="+first.Next)
	if len(rest.Items) != 2 || rest.Items[0].StationID != "e" || rest.Items[1].StationID != "f" {
		t.Errorf("the second page is %+v", rest.Items)
	}
}

func TestDefaultAndLargestPage(t *testing.T) {
	source := &memory{}
	for i := range web.LimitMax + 1 {
		source.stations = append(source.stations, chargestream.StationState{
			StationID: chargestream.StationID(strconv.Itoa(i))})
	}
	h := handlerOf(source)
	for target, want := range map[string]int{
		"/api/v1/stations":            web.LimitDefault,
		"/api/v1/stations?limit=1000": web.LimitMax,
	} {
		got := get[items[chargestream.StationState]](t, h, target)
		if len(got.Items) != want || got.Next == "" {
			t.Errorf("GET %s: %d items, next %q", target, len(got.Items), got.Next)
		}
	}
}

func TestCursorOfAnotherList(t *testing.T) {
	h := handlerOf(city())
	next := get[items[chargestream.Invoice]](t, h, "/api/v1/invoices?limit=1").Next
	wantProblem(t, ask(h, http.MethodGet, "/api/v1/stations?cursor="+next), "foreign cursor",
		http.StatusUnprocessableEntity, "query.cursor", "stations")
}

func TestCutLeavesItemsAlone(t *testing.T) {
	given := []string{"c", "a", "b"}
	cut := web.Cut(given, func(s *string) string { return *s }, web.Page{After: "a", Limit: 1})
	if diff := cmp.Diff([]string{"b"}, cut); diff != "" {
		t.Errorf("cut (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c", "a", "b"}, given); diff != "" {
		t.Errorf("given (-want +got):\n%s", diff)
	}
}
