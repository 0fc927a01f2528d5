package dashboard

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A week is the journal of seven days, as far as pages need it.
type week struct {
	hours  map[int64]rate              // done and failed by the hour, as Unix time
	waited map[string]broker.Histogram // by queue
	tasks  map[string]rate             // by task
}

// A rate is how many attempts were done, and how many have failed.
type rate struct{ done, failed int64 }

func (r *rate) add(t *broker.Tally) {
	r.done += t.Done
	r.failed += t.Retried + t.Dead
}

func (r rate) attempts() int64 { return r.done + r.failed }

func summedWeek(ts []broker.Tally) week {
	w := week{make(map[int64]rate), make(map[string]broker.Histogram), make(map[string]rate)}
	for i := range ts {
		t := &ts[i]
		hour := t.Minute.Truncate(time.Hour).Unix()
		r := w.hours[hour]
		r.add(t)
		w.hours[hour] = r
		r = w.tasks[t.Task]
		r.add(t)
		w.tasks[t.Task] = r
		h := w.waited[t.Queue]
		for b, n := range t.Waited.Counts {
			h.Counts[b] += n
		}
		h.Total += t.Waited.Total
		w.waited[t.Queue] = h
	}
	return w
}

// all returns the sum of the week.
func (w week) all() (r rate) {
	for _, h := range w.hours {
		r.done += h.done
		r.failed += h.failed
	}
	return r
}

// usual returns below which time nearly all messages of a queue have waited, and whether
// there were enough to say so.
func (w week) usual(queue string) (time.Duration, bool) {
	h := w.waited[queue]
	const enough = 100
	return h.Below(.95), h.Count() >= enough
}

// perMinute returns a number of each of the last minutes, oldest first. The last one is
// the minute that goes on.
func perMinute(ts []broker.Tally, now time.Time, minutes int, number func(*broker.Tally) float64) []float64 {
	values := make([]float64, minutes)
	first := now.Truncate(time.Minute).Add(-time.Duration(minutes-1) * time.Minute)
	for i := range ts {
		if k := int(ts[i].Minute.Sub(first) / time.Minute); k >= 0 && k < minutes && !ts[i].Minute.Before(first) {
			values[k] += number(&ts[i])
		}
	}
	return values
}

// rateOver is over how many minutes a rate is averaged.
const rateOver = 5

// doneAMinute returns how many were done in a minute, of late.
func doneAMinute(ts []broker.Tally, now time.Time) int64 {
	n := 0.0
	for _, in := range perMinute(ts, now, rateOver+1, done) {
		n += in
	}
	return int64(math.Ceil(n / (rateOver + now.Sub(now.Truncate(time.Minute)).Minutes())))
}

func done(t *broker.Tally) float64   { return float64(t.Done) }
func failed(t *broker.Tally) float64 { return float64(t.Retried + t.Dead) }
func dead(t *broker.Tally) float64   { return float64(t.Dead) }

// waits returns how long messages have waited in each of the last minutes, on average.
func waits(ts []broker.Tally, now time.Time, minutes int) []float64 {
	n := perMinute(ts, now, minutes, func(t *broker.Tally) float64 { return float64(t.Waited.Count()) })
	sum := perMinute(ts, now, minutes, func(t *broker.Tally) float64 { return t.Waited.Total.Seconds() })
	for i := range sum {
		sum[i] /= max(n[i], 1)
	}
	return sum
}

// of returns the tallies of a queue.
func of(ts []broker.Tally, queue string) []broker.Tally {
	return slices.DeleteFunc(slices.Clone(ts), func(t broker.Tally) bool { return t.Queue != queue })
}

// byTask sums tallies up by task, on whatever queue, the most attempts first.
func byTask(ts []broker.Tally) []*broker.Tally {
	sums := make(map[string]*broker.Tally)
	for i := range ts {
		t := &ts[i]
		if sums[t.Task] == nil {
			sums[t.Task] = &broker.Tally{Task: t.Task}
		}
		sums[t.Task].Add(t)
	}
	list := make([]*broker.Tally, 0, len(sums))
	for _, s := range sums {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *broker.Tally) int {
		return cmp.Or(cmp.Compare(b.Messages(), a.Messages()), cmp.Compare(a.Task, b.Task))
	})
	return list
}
