package rabbitmq

import (
	"fmt"
	"slices"
)

// A source is the consumption of one class of a queue. RabbitMQ does not change
// the prefetch of a consumer, so more of it is another consumer.
type source struct {
	class     class
	consumers []*prefetching // the oldest first
	former    []*prefetching // whose tags can be used again
	fetched   []*delivery    // to be delivered, oldest first
	credit    int            // see pick
}

// A prefetching is a consumer of RabbitMQ.
type prefetching struct {
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

// weights says how often a class is picked while all have messages.
var weights = [len(consumed)]int{6, 3, 1, 1}

// pick returns the source to deliver from next, or -1. Of the sources that
// have a message it is the one whose turn it is by weight, in the smooth order
// of nginx (https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1).
func (sub *subscription) pick() int {
	best := -1
	for i := range sub.sources {
		if len(sub.sources[i].fetched) == 0 {
			continue
		}
		if best < 0 || sub.sources[i].credit+weights[i] > sub.sources[best].credit+weights[best] {
			best = i
		}
	}
	return best
}

// picked notes that the next message of a source was delivered.
func (sub *subscription) picked(picked int) {
	total := 0
	for i := range sub.sources {
		if len(sub.sources[i].fetched) > 0 {
			sub.sources[i].credit += weights[i]
			total += weights[i]
		}
	}
	s := &sub.sources[picked]
	s.credit -= total
	s.fetched[0] = nil
	s.fetched = s.fetched[1:]
	sub.consumer.pace.delivered++
}

// prefetch returns the prefetch of a source, all its consumers together.
func (s *source) prefetch() int {
	total := 0
	for _, c := range s.consumers {
		total += c.prefetch
	}
	return total
}

// more adds to every source a consumer that makes its prefetch what it is to be,
// and returns these. They are to be started.
func (sub *subscription) more(prefetch int) (added []*prefetching) {
	for i := range sub.sources {
		s := &sub.sources[i]
		missing := s.share(prefetch) - s.prefetch()
		if missing <= 0 {
			continue
		}
		c := sub.spare(s)
		c.prefetch = missing
		s.consumers = append(s.consumers, c)
		added = append(added, c)
	}
	return added
}

// spare returns a consumer of a source that is not started: a former one of which
// nothing is left, or a new one.
func (sub *subscription) spare(s *source) *prefetching {
	for i, c := range s.former {
		if sub.acks.unacked(c) == 0 {
			s.former = slices.Delete(s.former, i, i+1)
			return c
		}
	}
	sub.tags++
	c := &prefetching{source: s, tag: fmt.Sprintf("%s-%d", s.class, sub.tags)}
	sub.consumers[c.tag] = c
	return c
}

// begin starts consumers.
func (sub *subscription) begin(cs []*prefetching) error {
	for _, c := range cs {
		if err := sub.start(sub.consumer.b.topology.queue(c.source.class, sub.consumer.queue), c.tag, c.prefetch); err != nil {
			return err
		}
	}
	return nil
}

// start starts a consumer of a queue of RabbitMQ.
func (sub *subscription) start(queue, tag string, prefetch int) error {
	return sub.ch.Consume(queue, tag, prefetch, "")
}

// less takes the newest consumers from every source without which its prefetch
// is still what it is to be, and returns these. They are to be cancelled.
func (sub *subscription) less(prefetch int) (removed []*prefetching) {
	for i := range sub.sources {
		s := &sub.sources[i]
		want := 0
		if prefetch > 0 {
			want = s.share(prefetch)
		}
		for n := len(s.consumers) - 1; n >= 0 && s.prefetch()-s.consumers[n].prefetch >= want; n-- {
			removed = append(removed, s.consumers[n])
			s.former = append(s.former, s.consumers[n])
			s.consumers = s.consumers[:n]
		}
	}
	return removed
}

// lost notes that RabbitMQ has cancelled consumers.
func (sub *subscription) lost(tags []string) {
	for i := range sub.sources {
		s := &sub.sources[i]
		s.consumers = slices.DeleteFunc(s.consumers, func(c *prefetching) bool { return slices.Contains(tags, c.tag) })
	}
}
