package rabbitmq

import (
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The levels of delay are one pipe for all queues, and RabbitMQ has no more than 32
// messages on their way out of a level. So a message must get out whatever has
// become of its queue. Level 0 ends in an exchange that routes to a queue of what is
// due, one for each queue of dtask, from which workers take as from any class: it
// refuses nothing, for no limit is set on it and what an operator limits by a
// policy drops its oldest message to the dead letters. A message whose queue does
// not exist goes on to a queue of what is lost (lost.go).

// declareLevels declares the levels from the given one down.
func (t *topology) declareLevels(ch *amqp.Channel, highest int) error {
	if err := t.declareArrival(ch); err != nil {
		return err
	}
	for i := range highest + 1 {
		name, next := t.names.level(i), t.arrival()
		if i > 0 {
			next = t.names.level(i - 1)
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

// declareArrival declares the exchange where delays end, and what is behind it.
func (t *topology) declareArrival(ch *amqp.Channel) error {
	lost := t.lost()
	if err := ch.ExchangeDeclare(lost, amqp.ExchangeFanout, true, false, false, false, nil); err != nil {
		return declareError("exchange", lost, err)
	}
	dead := t.queue(classDead, lostQueue)
	if err := declareDead(ch, dead); err != nil {
		return err
	}
	if err := declareQueue(ch, lost, amqp.Table{
		amqp.QueueTypeArg:           amqp.QueueTypeQuorum,
		amqp.QueueOverflowArg:       amqp.QueueOverflowRejectPublish,
		"x-delivery-limit":          int64(unlimited),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": dead,
		"x-dead-letter-strategy":    "at-least-once",
	}); err != nil {
		return err
	}
	if err := ch.QueueBind(lost, "", lost, false, nil); err != nil {
		return declareError("binding of queue", lost, err)
	}
	if err := ch.ExchangeDeclare(t.arrival(), amqp.ExchangeTopic, true, false, false, false, amqp.Table{"alternate-exchange": lost}); err != nil {
		return declareError("exchange", t.arrival(), err)
	}
	t.known.Store(t.arrival(), struct{}{})
	return nil
}

// declareDue declares the queue of what is due of a queue, and has delays end in
// it. The number of words in the key is fixed, for queue names may hold dots:
// "#.mail" would also match the queue "hot.mail".
//
// It gives up on a message at once, without waiting for the dead letters to
// confirm it: who waits for that has to refuse messages when there is a limit.
func (t *topology) declareDue(ch *amqp.Channel, queue string) error {
	if _, ok := t.known.Load(t.arrival()); !ok {
		if err := t.declareArrival(ch); err != nil {
			return err
		}
	}
	name := t.queue(classDue, queue)
	if err := declareQueue(ch, name, amqp.Table{
		amqp.QueueTypeArg:           amqp.QueueTypeQuorum,
		amqp.QueueOverflowArg:       amqp.QueueOverflowDropHead,
		"x-delivery-limit":          int64(deliveryLimit),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": t.queue(classDead, queue),
		"x-dead-letter-strategy":    "at-most-once",
	}); err != nil {
		return err
	}
	for _, c := range delayable {
		if err := ch.QueueBind(name, strings.Repeat("*.", levels)+t.queue(c, queue), t.arrival(), false, nil); err != nil {
			return declareError("binding of queue", name, err)
		}
	}
	t.known.Store(name, struct{}{})
	return nil
}
