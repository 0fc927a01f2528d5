package rabbitmq

import (
	"fmt"
	"math"
	"slices"
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

// A source is where the messages of one class of a queue come from. RabbitMQ does
// not change the prefetch of a consumer, so who wants more adds a fetcher.
type source struct {
	class    class
	fetchers []*fetcher  // the oldest first
	former   []*fetcher  // whose tags can be used again
	fetched  []*delivery // to be delivered, oldest first
	credit   int         // see pick in classes.go
}

// A fetcher is what RabbitMQ calls a consumer.
type fetcher struct {
	source   *source
	tag      string
	prefetch int
	received int // deliveries
	acked    int // guarded by the acker
}

// share returns which part of the prefetch is the source's.
func (s *source) share(prefetch int) int {
	switch s.class {
	case classLow:
		return max(1, prefetch/2)
	case classQuarantine:
		return 1 // when its worker dies it was the only one
	}
	return prefetch
}

// prefetch returns the prefetch of a source, all its fetchers together.
func (s *source) prefetch() int {
	total := 0
	for _, f := range s.fetchers {
		total += f.prefetch
	}
	return total
}

// adapt makes the prefetch what the pace of the tasks asks for. More of it comes
// in the background: RabbitMQ takes its time to start a fetcher.
func (sub *subscription) adapt(prefetch int) error {
	sub.acks.expect(prefetch)
	if added := sub.more(prefetch); added != nil {
		growing := make(chan error, 1)
		sub.growing = growing
		go func() { growing <- sub.begin(added) }()
		return nil
	}
	err := sub.cancel(sub.less(prefetch))
	sub.handBackFetched(prefetch)
	return err
}

// more adds to every source a fetcher that makes its prefetch what it is to be,
// and returns the new ones. They are to be started.
func (sub *subscription) more(prefetch int) (added []*fetcher) {
	for i := range sub.sources {
		s := &sub.sources[i]
		missing := s.share(prefetch) - s.prefetch()
		if missing <= 0 {
			continue
		}
		f := sub.spare(s)
		f.prefetch = missing
		s.fetchers = append(s.fetchers, f)
		added = append(added, f)
	}
	return added
}

// spare returns a fetcher of a source that is not started: a former one of which
// nothing is left, or a new one.
func (sub *subscription) spare(s *source) *fetcher {
	for i, f := range s.former {
		if sub.acks.unacked(f) == 0 {
			s.former = slices.Delete(s.former, i, i+1)
			return f
		}
	}
	sub.tags++
	f := &fetcher{source: s, tag: fmt.Sprintf("%s-%d", s.class, sub.tags)}
	sub.fetchers[f.tag] = f
	return f
}

// begin starts fetchers.
func (sub *subscription) begin(fs []*fetcher) error {
	for _, f := range fs {
		if err := sub.start(sub.consumer.b.topology.queue(f.source.class, sub.consumer.queue), f.tag, f.prefetch); err != nil {
			return err
		}
	}
	return nil
}

// start starts a fetcher of a queue of RabbitMQ.
func (sub *subscription) start(queue, tag string, prefetch int) error {
	return sub.ch.Consume(queue, tag, prefetch, "")
}

// less takes from every source the newest fetchers that it does not need for the
// prefetch it is to have, and returns them. They are to be cancelled.
func (sub *subscription) less(prefetch int) (removed []*fetcher) {
	for i := range sub.sources {
		s := &sub.sources[i]
		want := 0
		if prefetch > 0 {
			want = s.share(prefetch)
		}
		for n := len(s.fetchers) - 1; n >= 0 && s.prefetch()-s.fetchers[n].prefetch >= want; n-- {
			removed = append(removed, s.fetchers[n])
			s.former = append(s.former, s.fetchers[n])
			s.fetchers = s.fetchers[:n]
		}
	}
	return removed
}

// lost notes that RabbitMQ has cancelled fetchers.
func (sub *subscription) lost(tags []string) {
	for i := range sub.sources {
		s := &sub.sources[i]
		s.fetchers = slices.DeleteFunc(s.fetchers, func(f *fetcher) bool { return slices.Contains(tags, f.tag) })
	}
}
