package dashboard

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A taskRow is what became of a task in the last hour.
type taskRow struct {
	Name         string
	Done         int64
	Failed       string
	Class        string
	Half, Nearly string // half of the attempts, and 99 %, took less
	Spark        *spark
}

// A kindRow is a kind of failure in the last hour.
type kindRow struct {
	Kind     string
	Attempts int64
	Share    bar
	Error    string // the newest one
	Task     string
	ID       string // of its message
}

// taskRows are the tasks of the last hour, the most attempts first.
func (v *visit) taskRows(hour []broker.Tally) ([]taskRow, int) {
	var rows []taskRow
	all := byTask(hour)
	for _, t := range all[:min(len(all), maxTaskRows)] {
		r := taskRow{Name: t.Task, Done: t.Done}
		var sum rate
		sum.add(t)
		r.Failed = percent(sum.failed, sum.attempts())
		mine := slices.DeleteFunc(slices.Clone(hour), func(o broker.Tally) bool { return o.Task != t.Task })
		class := ""
		switch share := float64(sum.failed) / float64(max(sum.attempts(), 1)); {
		case sum.failed == 0:
			r.Class = "z"
		case share > muchFailure:
			r.Class, class = "act", "act"
		}
		if t.Ran.Count() > 0 {
			r.Half, r.Nearly = took(t.Ran.Below(.5)), took(t.Ran.Below(.99))
		}
		number := done
		if class == "act" {
			number = failed
		}
		r.Spark = newSpark(class, perMinute(mine, v.now, 60, number))
		rows = append(rows, r)
	}
	return rows, len(all)
}

// kindRows are the failures of the last hour by kind, the most first.
func kindRows(hour []broker.Tally) []kindRow {
	kinds := make(map[string]*kindRow)
	newest := make(map[string]time.Time)
	var all int64
	for _, t := range hour {
		for _, f := range t.Failures {
			k := kinds[f.Kind]
			if k == nil {
				k = &kindRow{Kind: f.Kind}
				kinds[f.Kind] = k
			}
			k.Attempts += f.Messages
			all += f.Messages
			if f.At.After(newest[f.Kind]) {
				newest[f.Kind] = f.At
				k.Error, k.Task, k.ID = withoutKind(f.Kind, f.Error), t.Task, f.ID
			}
		}
		if t.OtherFailures > 0 {
			k := kinds["others"]
			if k == nil {
				k = &kindRow{Kind: "others", Error: "of which no more is kept"}
				kinds["others"] = k
			}
			k.Attempts += t.OtherFailures
			all += t.OtherFailures
		}
	}
	var rows []kindRow
	for _, k := range kinds {
		k.Share = newBar("act", int(k.Attempts), int(all))
		rows = append(rows, *k)
	}
	slices.SortFunc(rows, func(a, b kindRow) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), strings.Compare(a.Kind, b.Kind))
	})
	return rows
}
