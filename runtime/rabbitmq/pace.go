package rabbitmq

import (
	"math"
	"time"
)

const (
	// maxPrefetch is where more prefetch gains nothing.
	maxPrefetch = 1000

	// fetchAhead is how much work is fetched ahead, in time: enough for the
	// way of an acknowledgement to the server and of a message back, and so
	// little that hoarding it delays nothing.
	fetchAhead = 50 * time.Millisecond
)

// A pace finds the prefetch: how many messages of a class a worker has that it
// has not acknowledged. Tasks of microseconds need hundreds of them, or the
// worker waits for the network; of tasks of minutes it should have none but
// those it runs, for another worker might be idle.
type pace struct {
	concurrency int
	prefetch    int
	delivered   int // since the last judgement
	since       time.Time
}

func newPace(concurrency int, now time.Time) pace {
	concurrency = min(concurrency, math.MaxUint16-1) // AMQP has no larger prefetch
	return pace{concurrency: concurrency, prefetch: concurrency + 1, since: now}
}

// adapt judges the prefetch once as many messages were delivered, or when that
// is overdue, and reports whether it has changed.
func (p *pace) adapt(now func() time.Time, overdue bool) bool {
	if p.delivered < p.prefetch && !overdue {
		return false
	}
	t := now()
	elapsed := max(t.Sub(p.since), time.Microsecond)
	ahead := int(int64(p.delivered) * int64(fetchAhead) / int64(elapsed))
	p.delivered, p.since = 0, t
	want := max(min(p.concurrency+1+ahead, maxPrefetch), p.concurrency+1)
	grow := want > p.prefetch+p.prefetch/2 || want == maxPrefetch && want > p.prefetch
	shrink := want < p.prefetch/4 && overdue
	if grow || shrink {
		p.prefetch = want
	}
	return grow || shrink
}
