package console

import (
	"strconv"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// An age is a flag for how far back.
type age time.Duration

func (a *age) String() string { return printable.Short(time.Duration(*a)) }
func (a *age) Type() string   { return "duration" }

func (a *age) Set(text string) error {
	d, err := selection.ParseAge(text)
	*a = age(d)
	return err
}

// typical is the share of messages of which a table shows a bound.
const typical = 0.95

// below returns the bound that most durations are below.
func below(h broker.Histogram) string {
	if h.Count() == 0 {
		return "-"
	}
	d := h.Below(typical)
	if d >= time.Minute {
		return "<" + d.Round(time.Second).String()
	}
	return "<" + d.String()
}

// newestFailure returns the newest failure, or nothing.
func newestFailure(t broker.Tally) string {
	if len(t.Failures) == 0 {
		return ""
	}
	return t.Failures[0].Kind + ": " + t.Failures[0].Error
}

type tallyRecord struct {
	Minute        *time.Time            `json:"minute"` // null in a sum
	Queue         string                `json:"queue"`
	Task          string                `json:"task"`
	Done          int64                 `json:"done"`
	Retried       int64                 `json:"retried"`
	Dead          int64                 `json:"dead"`
	Snoozed       int64                 `json:"snoozed"`
	HandedBack    int64                 `json:"handed_back"`
	Cancelled     int64                 `json:"cancelled"`
	Waited        durationsRecord       `json:"waited"`
	Ran           durationsRecord       `json:"ran"`
	Failures      []broker.TallyFailure `json:"failures"`
	OtherFailures int64                 `json:"other_failures"`
}

type durationsRecord struct {
	Messages    int64          `json:"messages"`
	MeanMS      float64        `json:"mean_ms"`
	HalfBelowMS int64          `json:"p50_below_ms"`
	MostBelowMS int64          `json:"p95_below_ms"`
	Buckets     []bucketRecord `json:"buckets"` // those that are not empty
}

type bucketRecord struct {
	BelowMS  *int64 `json:"below_ms"` // null: of the last one, which has no bound
	Messages int64  `json:"messages"`
}

func tallyRecordOf(t broker.Tally, minute bool) tallyRecord {
	r := tallyRecord{
		Queue: t.Queue, Task: t.Task, Done: t.Done, Retried: t.Retried, Dead: t.Dead, Snoozed: t.Snoozed, HandedBack: t.HandedBack, Cancelled: t.Cancelled,
		Waited: durationsOf(t.Waited), Ran: durationsOf(t.Ran), Failures: t.Failures, OtherFailures: t.OtherFailures,
	}
	if minute {
		r.Minute = given(t.Minute)
	}
	if r.Failures == nil {
		r.Failures = []broker.TallyFailure{}
	}
	return r
}

func durationsOf(h broker.Histogram) durationsRecord {
	r := durationsRecord{
		Messages: h.Count(), MeanMS: float64(h.Mean().Microseconds()) / 1000,
		HalfBelowMS: h.Below(0.5).Milliseconds(), MostBelowMS: h.Below(typical).Milliseconds(), Buckets: []bucketRecord{},
	}
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		b := bucketRecord{Messages: n}
		if i < broker.Buckets-1 {
			ms := broker.BucketBelow(i).Milliseconds()
			b.BelowMS = &ms
		}
		r.Buckets = append(r.Buckets, b)
	}
	return r
}

func tallyCount(key, title string, n func(broker.Tally) int64) column[broker.Tally] {
	return column[broker.Tally]{key: key, title: title, value: func(t broker.Tally) string { return strconv.FormatInt(n(t), 10) }}
}

func tallyTime(key, title string, h func(broker.Tally) broker.Histogram) column[broker.Tally] {
	return column[broker.Tally]{
		key: key, title: title,
		cell:  func(t broker.Tally) string { return below(h(t)) },
		value: func(t broker.Tally) string { return strconv.FormatInt(h(t).Below(typical).Milliseconds(), 10) },
	}
}

var tallyColumns = []column[broker.Tally]{
	{key: "queue", title: "QUEUE", value: func(t broker.Tally) string { return t.Queue }},
	{key: "task", title: "TASK", cell: func(t broker.Tally) string { return shortTask(t.Task) }, value: func(t broker.Tally) string { return t.Task }},
	tallyCount("done", "DONE", func(t broker.Tally) int64 { return t.Done }),
	tallyCount("retried", "RETRIED", func(t broker.Tally) int64 { return t.Retried }),
	tallyCount("dead", "DEAD", func(t broker.Tally) int64 { return t.Dead }),
	tallyCount("snoozed", "", func(t broker.Tally) int64 { return t.Snoozed }),
	tallyCount("handed_back", "BACK", func(t broker.Tally) int64 { return t.HandedBack }),
	tallyCount("cancelled", "", func(t broker.Tally) int64 { return t.Cancelled }),
	tallyTime("waited_p95_below_ms", "WAITED", func(t broker.Tally) broker.Histogram { return t.Waited }),
	tallyTime("ran_p95_below_ms", "RAN", func(t broker.Tally) broker.Histogram { return t.Ran }),
	{key: "failure", title: "NEWEST FAILURE", value: newestFailure},
}

var minuteColumns = append([]column[broker.Tally]{{
	key: "minute", title: "MINUTE",
	cell:  func(t broker.Tally) string { return t.Minute.Local().Format("01-02 15:04") },
	value: func(t broker.Tally) string { return stamp(t.Minute) },
}}, tallyColumns...)

// A failureRecord is one kind of failure of a task.
type failureRecord struct {
	Queue string `json:"queue"`
	Task  string `json:"task"`
	broker.TallyFailure
}

// failuresOf returns the failures, and those of further kinds without their errors.
func failuresOf(ts []broker.Tally) (rs []failureRecord) {
	for _, t := range ts {
		for _, f := range t.Failures {
			rs = append(rs, failureRecord{t.Queue, t.Task, f})
		}
		if t.OtherFailures > 0 {
			rs = append(rs, failureRecord{t.Queue, t.Task, broker.TallyFailure{Kind: "others", Messages: t.OtherFailures}})
		}
	}
	return rs
}

var failureColumns = []column[failureRecord]{
	{key: "queue", title: "QUEUE", value: func(r failureRecord) string { return r.Queue }},
	{key: "task", title: "TASK", cell: func(r failureRecord) string { return shortTask(r.Task) }, value: func(r failureRecord) string { return r.Task }},
	{key: "messages", title: "FAILURES", value: func(r failureRecord) string { return strconv.FormatInt(r.Messages, 10) }},
	{key: "at", title: "NEWEST", cell: func(r failureRecord) string { return printable.Since(r.At) }, value: func(r failureRecord) string { return stamp(r.At) }},
	{key: "id", title: "ID", value: func(r failureRecord) string { return r.ID }},
	{key: "kind", title: "KIND", value: func(r failureRecord) string { return r.Kind }},
	{key: "error", title: "ERROR", value: func(r failureRecord) string { return r.Error }},
}

var actColumns = []column[broker.Act]{
	{key: "id", value: func(a broker.Act) string { return a.ID }},
	{key: "began", title: "WHEN", cell: func(a broker.Act) string { return a.Began.Local().Format("01-02 15:04:05") }, value: func(a broker.Act) string { return stamp(a.Began) }},
	{key: "user", title: "WHO", value: func(a broker.Act) string { return a.User }},
	{key: "host", title: "FROM", value: func(a broker.Act) string { return a.Host }},
	{key: "did", title: "DID", value: func(a broker.Act) string { return a.Did }},
	{key: "on", title: "ON", value: func(a broker.Act) string { return a.On }},
	{key: "planned", title: "OF", cell: func(a broker.Act) string {
		if a.Planned < 0 {
			return "-"
		}
		return strconv.Itoa(a.Planned)
	}, value: func(a broker.Act) string { return strconv.Itoa(a.Planned) }},
	{key: "changed", title: "CHANGED", value: func(a broker.Act) string { return strconv.Itoa(a.Changed) }},
	{key: "skipped", title: "SKIPPED", value: func(a broker.Act) string { return strconv.Itoa(a.Skipped) }},
	{key: "ended", title: "ENDED", cell: ending, value: func(a broker.Act) string { return stamp(a.Ended) }},
	{key: "error", value: func(a broker.Act) string { return a.Error }},
}

// ending says how an act ended.
func ending(a broker.Act) string {
	switch {
	case a.Ended.IsZero():
		return "not said"
	case a.Error != "":
		return a.Error
	}
	return "well"
}
