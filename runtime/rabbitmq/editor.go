package rabbitmq

import (
	"bytes"
	"context"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

var _ broker.Editor = (*Broker)(nil)

// Edit implements [broker.Editor] for dead letters. The letter is then the newest one
// of its queue. A fault in the middle may leave it there twice, as it was and as it is
// to be.
func (b *Broker) Edit(ctx context.Context, r broker.Ref, old, new broker.Arguments) error {
	if err := broker.ValidateBody(new.Body); err != nil {
		return err
	}
	n, err := b.takeListed(ctx, []broker.Ref{r}, func(ds []*wire.Delivery) []error {
		errs := make([]error, len(ds))
		for i, d := range ds {
			m := decodeDead(d, r.Queue)
			if !bytes.Equal(m.Body, old.Body) || m.Schema != old.Schema {
				errs[i] = fmt.Errorf("%s: %w; look again", r.ID, broker.ErrChanged)
				continue
			}
			p := b.stillDead(d, r.Queue, r.Queue, new.Schema)
			p.message.Body = new.Body
			errs[i] = b.publish(ctx, p)
		}
		return errs
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("%s: %w; look again", r.ID, broker.ErrChanged)
	}
	return err
}

// Move implements [broker.Editor] for dead letters: they become those of another
// queue.
func (b *Broker) Move(ctx context.Context, queue string, rs ...broker.Ref) (int, error) {
	if err := broker.ValidateQueue(queue); err != nil {
		return 0, err
	}
	return b.takeEach(ctx, rs, func(from string, ds []*wire.Delivery) []error {
		errs := make([]error, len(ds))
		ps := make([]*publication, len(ds))
		for i, d := range ds {
			if d.Discarded > 0 {
				errs[i] = fmt.Errorf("%w: dead letter %s stays where it is", broker.ErrTooLarge, d.MessageID)
				continue
			}
			ps[i] = b.stillDead(d, from, queue, decodeDead(d, from).Schema)
		}
		b.publishMany(ctx, ps, errs)
		return errs
	}, queue)
}

// stillDead returns a dead letter on its way to those of a queue, as it is but for
// its schema. What RabbitMQ has noted of it is kept as a failure.
func (b *Broker) stillDead(d *wire.Delivery, from, to, schema string) *publication {
	var h wire.Builder
	h.Text(codec.HeaderFailures, codec.EncodeFailures(decodeDead(d, from).Failures))
	h.Text(codec.HeaderSchema, schema)
	return &publication{message: codec.Forward(d, h.Table()), queue: to, class: classDead, name: b.topology.queue(classDead, to)}
}

// Retry implements [broker.Editor] for dead letters.
func (b *Broker) Retry(ctx context.Context, rs ...broker.Ref) (int, error) {
	return b.takeEach(ctx, rs, func(queue string, ds []*wire.Delivery) []error { return b.reviveMany(ctx, ds, queue) }, "")
}

// Delete implements [broker.Editor] for dead letters.
func (b *Broker) Delete(ctx context.Context, rs ...broker.Ref) (int, error) {
	return b.takeEach(ctx, rs, func(_ string, ds []*wire.Delivery) []error { return make([]error, len(ds)) }, "")
}

// takeEach is takeListed for dead letters of several queues, but for one of them.
func (b *Broker) takeEach(ctx context.Context, rs []broker.Ref, f func(queue string, ds []*wire.Delivery) []error, but string) (total int, err error) {
	of := make(map[string][]broker.Ref)
	var queues []string
	for _, r := range rs {
		if err := onlyDead(r.State); err != nil {
			return 0, err
		}
		if of[r.Queue] == nil {
			queues = append(queues, r.Queue)
		}
		of[r.Queue] = append(of[r.Queue], r)
	}
	for _, q := range queues {
		if q == but {
			continue
		}
		n, err := b.takeListed(ctx, of[q], func(ds []*wire.Delivery) []error { return f(q, ds) })
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// takeListed removes the dead letters of one queue that are as they were listed, and
// for which f returns no error. It returns how many.
func (b *Broker) takeListed(ctx context.Context, rs []broker.Ref, f func([]*wire.Delivery) []error) (int, error) {
	queue := rs[0].Queue
	seen := make(map[listed]bool, len(rs))
	for _, r := range rs {
		if err := onlyDead(r.State); err != nil {
			return 0, err
		}
		seen[listed{r.ID, r.At.UnixNano()}] = true
	}
	return b.takeDead(ctx, queue, maxBrowse, func(d *wire.Delivery) bool {
		return seen[listed{d.MessageID, storedDead(d, queue).At.UnixNano()}]
	}, f)
}

// A listed is a dead letter as it was listed: one that has died again is another.
type listed struct {
	id string
	at int64
}
