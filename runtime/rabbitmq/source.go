package rabbitmq

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A source is the consumption of one class of a queue.
type source struct {
	class   class
	tag     string
	in      <-chan amqp.Delivery // nil while there is none
	fetched []*delivery          // to be delivered, oldest first
	credit  int                  // see pick
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

// consume begins to consume a class, at the prefetch of the subscription.
func (sub *subscription) consume(s *source) error {
	prefetch := sub.prefetch
	switch s.class {
	case classLow:
		prefetch = max(1, prefetch/2)
	case classQuarantine:
		prefetch = 1 // when its worker dies it was the only one
	}
	if err := sub.ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	sub.tags++
	tag := fmt.Sprintf("%s-%d", s.class, sub.tags)
	in, err := sub.ch.Consume(sub.consumer.b.topology.queue(s.class, sub.consumer.queue), tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	s.tag, s.in = tag, in
	return nil
}

// carry takes a delivery over from another subscription, unless it is void by
// now.
func (sub *subscription) carry(d *delivery) {
	if d.sub.ctx.Err() != nil {
		return
	}
	for i := range sub.sources {
		if s := &sub.sources[i]; s.class == d.class {
			s.fetched = append(s.fetched, d)
		}
	}
}
