package rabbitmq

import (
	"cmp"
	"strconv"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// Delays are made of levels, as NServiceBus does it
// (https://docs.particular.net/transports/rabbitmq/delayed-delivery). Level i
// is a queue whose messages expire after 2^i seconds and go to the level
// below. The routing key says, one word for each level, at which levels a
// message waits (1) and through which it falls (0): ten seconds are
// 0.….0.1.0.1.0.QUEUE. It ends with the name of the queue that the message is
// delayed for; arrival.go has where it goes when it has passed level 0.
//
// A message may also carry an expiration of its own, which RabbitMQ heeds at
// the first level only, and only at the head of the queue: there it waits
// between that time and 2^i seconds.

const (
	levels     = 28
	longest    = (1<<levels - 1) * time.Second // 8.5 years
	keyDigits  = 2 * levels                    // bytes of the bits in a routing key
	delayUnit  = time.Second
	delayGuard = 10 * time.Millisecond
	retryLevel = 12 // the highest that retries use: limit.MaxBackoff is 3600 s
)

// A route is where to publish a message.
type route struct {
	exchange   string
	key        string
	expiration string // of the message, in milliseconds, or empty
	level      int    // the highest level it passes, or -1
}

// queue returns the name of the queue that it leads to first. The exchange of a
// level has the name of its queue.
func (r route) queue() string { return cmp.Or(r.exchange, r.key) }

// direct returns the route to a queue at once.
func direct(queue string) route { return route{key: queue, level: -1} }

// exactly returns the route that reaches queue no earlier than delay from now
// and, but for the load, less than a second later. What is beyond the longest
// delay arrives early, and is delayed again by the consumer.
func (n names) exactly(queue string, delay time.Duration) route {
	if delay <= 0 {
		return direct(queue)
	}
	if delay += delayGuard; delay < delayUnit {
		return n.within(queue, delay)
	}
	seconds := uint32((min(delay, longest) + delayUnit - 1) / delayUnit)
	level := 0
	for seconds>>level > 1 {
		level++
	}
	return route{exchange: n.level(level), key: delayKey(seconds, queue), level: level}
}

// roughly returns the route that reaches queue no earlier than delay from now
// and waits at one level only, the cheapest way. If a message ahead of it has
// longer to wait it is late, but waits less than twice the delay, or a second.
func (n names) roughly(queue string, delay time.Duration) route {
	if delay > limit.MaxBackoff {
		return n.exactly(queue, delay)
	}
	if delay <= 0 {
		return direct(queue)
	}
	return n.within(queue, delay+delayGuard)
}

// within returns the route by way of the lowest level that lasts at least
// delay.
func (n names) within(queue string, delay time.Duration) route {
	level := 0
	for delayUnit<<level < delay {
		level++
	}
	ms := (delay + time.Millisecond - 1) / time.Millisecond
	return route{
		exchange:   n.level(level),
		key:        delayKey(1<<level, queue),
		expiration: strconv.FormatInt(int64(ms), 10),
		level:      level,
	}
}

// delayKey returns the routing key of a delay.
func delayKey(seconds uint32, queue string) string {
	key := make([]byte, 0, keyDigits+len(queue))
	for i := levels - 1; i >= 0; i-- {
		key = append(key, '0'+byte(seconds>>i&1), '.')
	}
	return string(append(key, queue...))
}
