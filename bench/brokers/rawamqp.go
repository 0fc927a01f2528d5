package brokers

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

const rawQueue = "raw"

// rawAMQP is the plain client at its best: a quorum queue, a connection to
// publish and one to consume, confirms that every caller waits for, a prefetch
// of 1000 and acknowledgements of whole ranges.
type rawAMQP struct {
	publishing, consuming *amqp.Connection
	channel               *amqp.Channel
	queue                 string
	whole                 bool // messages have an id, a type, a time and headers
	concurrency           int
	handle                func(task)
	worker                sync.WaitGroup
	cancel                func() error
}

// openRawAMQP returns what opens a plain client whose messages are bodies
// only, or have what a task needs to be found, retried and counted: the same
// work as that of dtask.
func openRawAMQP(whole bool) func(context.Context, setup) (system, error) {
	return func(_ context.Context, s setup) (system, error) { return newRawAMQP(whole, s) }
}

func newRawAMQP(whole bool, s setup) (system, error) {
	r := &rawAMQP{queue: rawQueue, concurrency: s.concurrency, handle: s.handle, whole: whole}
	var err error
	if r.publishing, err = amqp.Dial(s.place); err != nil {
		return nil, err
	}
	if r.consuming, err = amqp.Dial(s.place); err != nil {
		return nil, err
	}
	if r.channel, err = r.publishing.Channel(); err != nil {
		return nil, err
	}
	if _, err := r.channel.QueueDeclare(r.queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return nil, err
	}
	returns := r.channel.NotifyReturn(make(chan amqp.Return, 1024))
	go func() {
		for range returns { // none comes: the queue exists
		}
	}()
	return r, r.channel.Confirm(false)
}

func (r *rawAMQP) enqueue(ctx context.Context, t task) error {
	body := make([]byte, 0, 64)
	body = append(body, `{"name":`...)
	body = strconv.AppendQuote(body, t.Name)
	body = append(body, `,"n":`...)
	body = strconv.AppendInt(body, t.N, 10)
	body = append(body, '}')
	message := amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body}
	if r.whole {
		now := time.Now()
		message.MessageId = uuid.Must(uuid.NewV7()).String()
		message.Type = "bench.Task"
		message.Timestamp = now
		message.Headers = amqp.Table{"schema": "0123456789abcdef", "attempts": int64(4), "timestamp_in_ms": now.UnixMilli()}
	}
	confirm, err := r.channel.PublishWithDeferredConfirm("", r.queue, true, false, message)
	if err != nil {
		return err
	}
	if ok, err := confirm.WaitContext(ctx); err != nil || !ok {
		return errors.Join(err, errors.New("not confirmed"))
	}
	return nil
}

func (r *rawAMQP) start(context.Context) error {
	ch, err := r.consuming.Channel()
	if err != nil {
		return err
	}
	const prefetch = 1000
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.Consume(r.queue, "worker", false, false, false, false, nil)
	if err != nil {
		return err
	}
	done := make(chan uint64, prefetch)
	var handlers sync.WaitGroup
	for range r.concurrency {
		handlers.Go(func() {
			for d := range deliveries {
				var t task
				if json.Unmarshal(d.Body, &t) == nil {
					r.handle(t)
				}
				done <- d.DeliveryTag
			}
		})
	}
	r.worker.Go(func() { acknowledge(ch, done) })
	r.cancel = func() error {
		err := ch.Cancel("worker", false)
		handlers.Wait()
		close(done)
		r.worker.Wait()
		return err
	}
	return nil
}

// acknowledge acknowledges what is done in ranges, as far as all before it is
// done: 64 at a time, or fewer when there is nothing more to collect.
func acknowledge(ch *amqp.Channel, done <-chan uint64) {
	beyond := make(map[uint64]bool) // done, but not all before it
	var prefix, acked uint64
	add := func(tag uint64) {
		beyond[tag] = true
		for beyond[prefix+1] {
			prefix++
			delete(beyond, prefix)
		}
	}
	for tag := range done {
		add(tag)
	collect:
		for prefix-acked < 64 {
			select {
			case tag, ok := <-done:
				if !ok {
					break collect
				}
				add(tag)
			default:
				break collect
			}
		}
		if prefix > acked {
			if ch.Ack(prefix, true) != nil {
				return
			}
			acked = prefix
		}
	}
}

func (r *rawAMQP) stop(context.Context) error {
	var err error
	if r.cancel != nil {
		err = r.cancel()
	}
	return errors.Join(err, r.publishing.Close(), r.consuming.Close())
}
