package views_test

import (
	"errors"
	"fmt"
	"testing"

	"chargestream"
	"chargestream/tables"
	"chargestream/web"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// walk reads a list page by page until a page is empty, and fails if a page is too long.
func walk[T any](
	t *rapid.T, limit int, key func(*T) string, read func(web.Page) ([]T, error),
) []string {
	walked := []string{}
	for page := (web.Page{Limit: limit}); ; {
		items, err := read(page)
		if err != nil {
			t.Fatalf("after %q: %v", page.After, err)
		}
		if len(items) > limit {
			t.Fatalf("after %q: %d items, at most %d were asked for", page.After, len(items), limit)
		}
		if len(items) == 0 {
			return walked
		}
		for i := range items {
			walked = append(walked, key(&items[i]))
		}
		page.After = walked[len(walked)-1]
		if len(walked) > 1000 {
			t.Fatalf("it does not end: %q", walked)
		}
	}
}

// wantWalked compares what was walked with the whole list: all that match, by key.
func wantWalked[T any](
	t *rapid.T, walked []string, all []T, key func(*T) string, matches func(*T) bool,
) {
	want := []string{}
	for _, item := range web.Cut(all, key, web.Page{Limit: len(all)}) {
		if matches(&item) {
			want = append(want, key(&item))
		}
	}
	if diff := cmp.Diff(want, walked); diff != "" {
		t.Fatalf("pages (-want +got):\n%s", diff)
	}
}

// ids are few and short, so that many begin with others.
func ids() *rapid.Generator[string] { return rapid.StringMatching(`[a/é]{1,3}`) }

func connectors() *rapid.Generator[string] { return rapid.StringMatching(`[a1]{1,2}`) }

func sites() *rapid.Generator[chargestream.SiteID] {
	return rapid.SampledFrom([]chargestream.SiteID{"", "n"})
}

// draw makes items with keys that differ.
func draw[T any](t *rapid.T, key func(*T) string, item func(*rapid.T) T) []T {
	return rapid.SliceOfNDistinct(rapid.Custom(item), 0, 30,
		func(v T) string { return key(&v) }).Draw(t, "items")
}

func TestPagesOfInvoicesCoverEveryInvoiceOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		all := draw(t, web.InvoiceKey, func(t *rapid.T) chargestream.Invoice {
			session := ids().Draw(t, "session")
			return chargestream.Invoice{SessionID: chargestream.SessionID(session),
				InvoiceID: session + "-" + ids().Draw(t, "digits"),
				UserID:    chargestream.UserID(ids().Draw(t, "user"))}
		})
		for _, v := range all {
			put(t, c.invoices, v.InvoiceID, v)
		}
		c.invoices.set("a-corrupt", []byte("{"))
		var f web.InvoiceFilter
		if rapid.Bool().Draw(t, "by session") {
			f.SessionID = chargestream.SessionID(ids().Draw(t, "filter"))
		} else if rapid.Bool().Draw(t, "by user") {
			f.UserID = chargestream.UserID(ids().Draw(t, "filter"))
		}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.InvoiceKey,
			func(p web.Page) ([]chargestream.Invoice, error) {
				f.Page = p
				return c.views.Invoices(t.Context(), f)
			})
		wantWalked(t, walked, all, web.InvoiceKey, f.Matches)
	})
}

func TestPagesOfUtilizationCoverEveryWindowOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		all := draw(t, web.UtilizationKey, func(t *rapid.T) chargestream.Utilization {
			return chargestream.Utilization{
				StationID:   chargestream.StationID(ids().Draw(t, "station")),
				ConnectorID: chargestream.ConnectorID(connectors().Draw(t, "connector")),
				WindowStart: moment(60 * rapid.IntRange(0, 3).Draw(t, "hour"))}
		})
		for _, u := range all {
			put(t, c.utilization, web.UtilizationKey(&u), u)
		}
		f := web.UtilizationFilter{From: moment(60 * rapid.IntRange(0, 2).Draw(t, "from"))}
		if rapid.Bool().Draw(t, "by station") {
			f.StationID = chargestream.StationID(ids().Draw(t, "filter"))
		}
		if rapid.Bool().Draw(t, "by connector") {
			f.ConnectorID = chargestream.ConnectorID(connectors().Draw(t, "filter"))
		}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.UtilizationKey,
			func(p web.Page) ([]chargestream.Utilization, error) {
				f.Page = p
				return c.views.Utilization(t.Context(), f)
			})
		wantWalked(t, walked, all, web.UtilizationKey, f.Matches)
	})
}

func TestPagesOfAnomaliesCoverEveryAnomalyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		all := draw(t, web.AnomalyKey, func(t *rapid.T) chargestream.Anomaly {
			return chargestream.Anomaly{AnomalyID: ids().Draw(t, "anomaly"),
				ClosedAt: moment(0) * chargestream.Millis(rapid.IntRange(0, 1).Draw(t, "closed"))}
		})
		for _, n := range all {
			put(t, c.anomalies, n.AnomalyID, n)
		}
		f := web.AnomalyFilter{Open: rapid.Bool().Draw(t, "open")}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.AnomalyKey,
			func(p web.Page) ([]chargestream.Anomaly, error) {
				f.Page = p
				return c.views.Anomalies(t.Context(), f)
			})
		wantWalked(t, walked, all, web.AnomalyKey, f.Matches)
	})
}

func TestPagesOfStationsCoverEveryStationOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCity()
		all := draw(t, web.StationKey, func(t *rapid.T) chargestream.StationState {
			return chargestream.StationState{
				StationID: chargestream.StationID(ids().Draw(t, "station"))}
		})
		for i := range all {
			s := &all[i]
			known := rapid.IntRange(1, 3).Draw(t, "known by")
			if known&1 != 0 {
				row := &tables.Station{ID: s.StationID, LastSeen: moment(0)}
				c.stations.set(string(s.StationID), row.Append(nil))
			}
			if known&2 != 0 {
				s.Info = &chargestream.StationInfo{StationID: s.StationID,
					SiteID: sites().Draw(t, "site")}
				put(t, c.registry, string(s.StationID), s.Info)
			}
		}
		f := web.StationFilter{SiteID: sites().Draw(t, "filter")}
		walked := walk(t, rapid.IntRange(1, 8).Draw(t, "limit"), web.StationKey,
			func(p web.Page) ([]chargestream.StationState, error) {
				f.Page = p
				return c.views.Stations(t.Context(), f)
			})
		wantWalked(t, walked, all, web.StationKey, f.Matches)
	})
}

func TestPageIsBounded(t *testing.T) {
	c := newCity()
	for i := range web.LimitMax + 5 {
		id := fmt.Sprintf("n%04d", i)
		put(t, c.anomalies, id, chargestream.Anomaly{AnomalyID: id})
	}
	var reads int
	c.anomalies.onGet = func(string) { reads++ }
	for limit, want := range map[int]int{-1: 0, 0: 0, 1: 1, web.LimitMax + 1: web.LimitMax + 1,
		web.LimitMax + 3: web.LimitMax + 1} {
		reads = 0
		got, err := c.views.Anomalies(t.Context(), web.AnomalyFilter{Page: web.Page{Limit: limit}})
		if err != nil || len(got) != want || got == nil {
			t.Errorf("limit %d: %d items instead of %d: %v", limit, len(got), want, err)
		}
		if reads != want {
			t.Errorf("limit %d: %d rows were read for %d items", limit, reads, want)
		}
	}
}

func TestListPassesOverWhatIsDeletedMeanwhile(t *testing.T) {
	c := newCity()
	c.watch(t)
	c.anomalies.onGet = func(string) { c.anomalies.set("clock_skew/B/2026-01-31", nil) }
	got, err := c.views.Anomalies(t.Context(), web.AnomalyFilter{Page: everything()})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, "list", got, web.AnomalyKey, "clock_skew/A/2026-01-31", "session_not_ended/s/1")
	c.anomalies.err = errors.New("disk is gone")
	_, err = c.views.Anomalies(t.Context(), web.AnomalyFilter{Page: everything()})
	if !errors.Is(err, c.anomalies.err) {
		t.Errorf("list of a table that cannot be read: %v", err)
	}
}
