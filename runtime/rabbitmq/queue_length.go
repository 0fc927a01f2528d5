package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// queueExists reports whether a queue exists. It takes a channel of its own:
// that nothing is found closes it.
func queueExists(ctx context.Context, s *session, name string) (bool, error) {
	_, ok, err := queueLength(ctx, s, name)
	return ok, err
}

// queueLength returns the number of messages that are ready in a queue, and
// whether the queue exists.
func queueLength(ctx context.Context, s *session, name string) (n int, ok bool, err error) {
	var q amqp.Queue
	err = s.Declare(ctx, func(ch *amqp.Channel) (err error) {
		q, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
	if isCode(err, amqp.NotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, declareError("queue", name, err) // 4.3 asks for the permission to configure
	}
	return q.Messages, true, nil
}
