package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// historyPage is what the page of operators' acts shows.
type historyPage struct {
	Verdict, Rest string
	Spans         []historySpan
	Rows          []actRow
	Left          int // older ones of the span, which are not shown
	Days          int
}

// A historySpan is a time that the page can show.
type historySpan struct {
	Name string
	Days int
	Now  bool
}

// An actRow is an act as the page has it.
type actRow struct {
	broker.Act
	Ago    string
	Query  string // that selects what it was done to, or empty
	Result string
	Class  string
	Error  string
}

// maxActs is how many acts a page shows.
const maxActs = 200

func (v *visit) history() (any, error) {
	spans := []historySpan{{Name: "Day", Days: 1}, {Name: "Week", Days: 7}, {Name: "All", Days: 90}}
	asked := slices.IndexFunc(spans, func(s historySpan) bool { return s.Name == v.r.URL.Query().Get("span") })
	if asked < 0 {
		asked = 1
	}
	spans[asked].Now = true
	days := spans[asked].Days
	seen := v.acts(days)
	if !seen.known() {
		return nil, seen.unseen()
	}
	p := historyPage{Spans: spans, Days: days}
	failed := 0
	for _, a := range slices.Backward(seen.value) {
		row := v.actRow(a)
		if row.Class == "act" {
			failed++
		}
		if len(p.Rows) == maxActs {
			p.Left++
			continue
		}
		p.Rows = append(p.Rows, row)
	}
	p.Verdict = fmt.Sprintf("%s in %s.", plural(len(seen.value), "act"), map[int]string{1: "a day", 7: "7 days", 90: "90 days"}[days])
	switch {
	case failed == 1:
		p.Rest = "One of them failed or ended early."
	case failed > 1:
		p.Rest = number(failed) + " of them failed or ended early."
	case len(seen.value) > 0:
		p.Rest = "None of them failed."
	}
	return p, nil
}

func (v *visit) actRow(a broker.Act) actRow {
	row := actRow{Act: a, Ago: ago(v.now.Sub(a.Began)) + " ago", Error: a.Error}
	if s, err := selection.Parse(a.On); err == nil && !s.All() && !strings.Contains(a.On, "…") {
		row.Query = a.On
	}
	switch {
	case a.Planned >= 0 && a.Skipped > 0:
		row.Result = fmt.Sprintf("%s of %s, %s had moved on", number(a.Changed), number(a.Planned), number(a.Skipped))
	case a.Planned >= 0:
		row.Result = fmt.Sprintf("%s of %s", number(a.Changed), number(a.Planned))
	case a.Changed > 0:
		row.Result = plural(a.Changed, "message")
	default:
		row.Result = "done"
	}
	switch {
	case a.Ended.IsZero():
		row.Class = "look"
		row.Error = cmp.Or(row.Error, "goes on, or its process has died")
	case a.Error != "":
		row.Class = "act"
		if row.Result == "done" {
			row.Result = "failed"
		}
	}
	return row
}

// acts are those of the last days, oldest first.
func (v *visit) acts(days int) sight[[]broker.Act] {
	return see(v, v.looks.acts.get(strconv.Itoa(days), func(ctx context.Context) ([]broker.Act, error) {
		return v.operator.Acts(ctx, time.Now().Add(-time.Duration(days)*24*time.Hour))
	}))
}
