package rabbitmq

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/limit"
)

// Delays are made of levels, as NServiceBus does it
// (https://docs.particular.net/transports/rabbitmq/delayed-delivery). Level i
// is a queue whose messages expire after 2^i seconds and go to the level
// below. The routing key says, one word for each level, at which levels a
// message waits (1) and through which it falls (0): ten seconds are
// 0.….0.1.0.1.0.QUEUE. It ends with the name of the queue, where the message
// goes when it has passed level 0.
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

// declareLevels declares the levels from the given one down.
func (n names) declareLevels(ch *amqp.Channel, highest int) error {
	if err := n.declareArrival(ch); err != nil {
		return err
	}
	for i := range highest + 1 {
		name, next := n.level(i), n.arrival()
		if i > 0 {
			next = n.level(i - 1)
		}
		if err := ch.ExchangeDeclare(name, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return declareError("exchange", name, err)
		}
		if err := declareQueue(ch, name, amqp.Table{
			amqp.QueueTypeArg:        amqp.QueueTypeQuorum,
			amqp.QueueMessageTTLArg:  int64(delayUnit << i / time.Millisecond),
			amqp.QueueOverflowArg:    amqp.QueueOverflowRejectPublish,
			"x-dead-letter-exchange": next,
			"x-dead-letter-strategy": "at-least-once",
		}); err != nil {
			return err
		}
		above := strings.Repeat("*.", levels-1-i)
		if err := ch.QueueBind(name, above+"1.#", name, false, nil); err != nil {
			return declareError("binding of queue", name, err)
		}
		if err := ch.ExchangeBind(next, above+"0.#", name, false, nil); err != nil {
			return declareError("binding of exchange", next, err)
		}
	}
	return nil
}

// declareArrival declares the exchange where delays end.
func (n names) declareArrival(ch *amqp.Channel) error {
	if err := ch.ExchangeDeclare(n.arrival(), amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return declareError("exchange", n.arrival(), err)
	}
	return nil
}

// bindArrival has delays for the queue end in it. The number of words in the
// key is fixed, for queue names may hold dots: "#.mail" would also match the
// queue "hot.mail".
func (n names) bindArrival(ch *amqp.Channel, queue string) error {
	if err := ch.QueueBind(queue, strings.Repeat("*.", levels)+queue, n.arrival(), false, nil); err != nil {
		return declareError("binding of queue", queue, err)
	}
	return nil
}
