package rabbitmq

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// maxAhead is where fetching more ahead gains nothing.
	maxAhead = 1000

	// fetchAhead is how much work is fetched ahead, in time: enough for the
	// way of an acknowledgement to the server and of a message back.
	fetchAhead = 50 * time.Millisecond

	// minSample is how many deliveries say how fast tasks are.
	minSample = 10

	// maxBase bounds how many fetchers a source has for its slots.
	maxBase = 10
)

// A pace finds how many messages of a class are fetched ahead, beyond those that
// the slots of the worker run. For tasks of microseconds they are hundreds, or the
// worker waits for the network. They are none where a task takes longer than
// fetchAhead, for another worker might be idle.
type pace struct {
	concurrency int
	ahead       int
	delivered   int          // since the last judgement
	running     atomic.Int64 // delivered and not settled
	ran         int          // what running was at the last judgement
	since       time.Time
}

func (p *pace) start(concurrency int, now time.Time) {
	p.concurrency = min(concurrency, math.MaxUint16) // AMQP has no larger prefetch
	p.since = now
}

// free returns how many slots of the worker have nothing to run.
func (p *pace) free() int { return p.concurrency - int(p.running.Load()) }

// adapt judges the pace once enough was delivered, or when that is overdue, and
// reports whether more is to be fetched ahead. Less is when something waits in
// vain, see shed.go.
func (p *pace) adapt(now func() time.Time, overdue bool) bool {
	if p.delivered < max(p.concurrency, p.ahead, minSample) && !overdue {
		return false
	}
	t, running := now(), int(p.running.Load())
	elapsed := max(t.Sub(p.since), time.Microsecond)
	finished := max(0, p.delivered-(running-p.ran))
	p.delivered, p.ran, p.since = 0, running, t
	want := min(int(int64(finished)*int64(fetchAhead)/int64(elapsed)), maxAhead)
	if want < p.concurrency {
		return false
	}
	grow := want > p.ahead+p.ahead/2 || want == maxAhead && want > p.ahead
	if grow {
		p.ahead = want
	}
	return grow
}

// A source is where the messages of one class of a queue come from. RabbitMQ does
// not change the prefetch of a consumer, so who wants more adds a fetcher.
type source struct {
	class   class
	base    []*fetcher  // for the slots; the oldest first
	ahead   []*fetcher  // for what is fetched ahead
	former  []*fetcher  // whose tags can be used again
	fetched []*delivery // to be delivered, oldest first
	arrived time.Time   // when the last message came
	silent  int         // how often RabbitMQ was silent without a reason
	credit  int         // see pick in classes.go
}

// A fetcher is what RabbitMQ calls a consumer.
type fetcher struct {
	source   *source
	tag      string
	first    bool // RabbitMQ serves it before others
	prefetch int
	received int // deliveries
	acked    int // guarded by the acker
}

// prefetchOf returns the prefetch of all of the fetchers together.
func prefetchOf(fs []*fetcher) (total int) {
	for _, f := range fs {
		total += f.prefetch
	}
	return total
}

// slots returns for how many slots the source fetches at most.
func (s *source) slots(concurrency int) int {
	if s.class == classQuarantine {
		return 0 // see gate.go
	}
	return concurrency
}

// aheadOf returns how much of what is fetched ahead is the source's.
func (s *source) aheadOf(ahead int) int {
	switch s.class {
	case classLow:
		return ahead / 2
	case classQuarantine:
		return 0
	}
	return ahead
}

// grow starts fetchers, in the background, for it takes RabbitMQ its time: for
// slots that are free although all that RabbitMQ may send has come, and for what
// is to be fetched ahead.
func (sub *subscription) grow() {
	if !sub.active || sub.growing != nil || sub.shedding {
		return
	}
	var added []*fetcher
	for i := range sub.sources {
		added = append(added, sub.moreBase(&sub.sources[i])...)
		added = append(added, sub.moreAhead(&sub.sources[i])...)
	}
	if len(added) == 0 {
		return
	}
	growing := make(chan error, 1)
	sub.growing = growing
	go func() { growing <- sub.begin(added) }()
}

// moreBase adds fetchers for free slots. An idle source has one of a single
// message: it is used up by what waits in vain, and can be cancelled without harm.
// The others come as they are used up, twice as many each time.
func (sub *subscription) moreBase(s *source) (added []*fetcher) {
	p := &sub.consumer.pace
	total := prefetchOf(s.base)
	missing := min(s.slots(p.concurrency)-total, p.free()-len(s.fetched))
	if missing <= 0 {
		return nil
	}
	for _, f := range s.base {
		if sub.acks.unacked(f) < f.prefetch {
			return nil
		}
	}
	for n := min(missing, max(1, total)); n > 0; {
		size := min(n, (p.concurrency+maxBase-1)/maxBase)
		added = append(added, sub.fetcher(s, true, size))
		n -= size
	}
	s.base = append(s.base, added...)
	return added
}

// moreAhead adds a fetcher for what is to be fetched ahead.
func (sub *subscription) moreAhead(s *source) []*fetcher {
	missing := s.aheadOf(sub.consumer.pace.ahead) - prefetchOf(s.ahead)
	if missing <= 0 {
		return nil
	}
	f := sub.fetcher(s, false, missing)
	s.ahead = append(s.ahead, f)
	return []*fetcher{f}
}

// fetcher returns a fetcher of a source that is not started: a former one of which
// nothing is left, or a new one.
func (sub *subscription) fetcher(s *source, first bool, prefetch int) (f *fetcher) {
	i := slices.IndexFunc(s.former, func(f *fetcher) bool { return sub.acks.unacked(f) == 0 })
	if i >= 0 {
		f = s.former[i]
		s.former = slices.Delete(s.former, i, i+1)
	} else {
		sub.tags++
		f = &fetcher{source: s, tag: fmt.Sprintf("%s-%d", s.class, sub.tags)}
		sub.fetchers[f.tag] = f
	}
	f.first, f.prefetch = first, prefetch
	return f
}

// firstServed are the arguments of consumers that RabbitMQ serves before those
// without: a worker with a free slot before one that fetches ahead.
var firstServed = func() wire.Table {
	var t wire.Builder
	t.Int("x-priority", 1)
	return t.Table()
}()

// begin starts fetchers.
func (sub *subscription) begin(fs []*fetcher) error {
	for _, f := range fs {
		var arguments wire.Table
		if f.first {
			arguments = firstServed
		}
		if err := sub.ch.Consume(sub.queueOf(f.source), f.tag, f.prefetch, arguments); err != nil {
			return err
		}
	}
	return nil
}

// queueOf returns the name of the queue of a source.
func (sub *subscription) queueOf(s *source) string {
	return sub.consumer.b.topology.queue(s.class, sub.consumer.queue)
}

// remove takes a fetcher that is cancelled from its source.
func (s *source) remove(f *fetcher) {
	same := func(g *fetcher) bool { return g == f }
	s.base = slices.DeleteFunc(s.base, same)
	s.ahead = slices.DeleteFunc(s.ahead, same)
	s.former = append(s.former, f)
}

// lost notes that RabbitMQ has cancelled fetchers.
func (sub *subscription) lost(tags []string) {
	gone := func(f *fetcher) bool { return slices.Contains(tags, f.tag) }
	for i := range sub.sources {
		s := &sub.sources[i]
		s.base = slices.DeleteFunc(s.base, gone)
		s.ahead = slices.DeleteFunc(s.ahead, gone)
	}
}
