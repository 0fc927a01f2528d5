package wire

import (
	"context"
	"errors"
	"sync"
)

// A Delivery is a message as RabbitMQ has delivered it.
type Delivery struct {
	Tag      uint64 // counts the deliveries of the channel, from 1
	Consumer string // the tag of the consumer
	Key      string // the routing key
	Properties
	Body []byte

	// Discarded is the size of a body that is larger than the connection takes,
	// which is not kept; else 0.
	Discarded uint64
}

// An inbox holds what has arrived on a channel and is not taken yet.
type inbox struct {
	mu         sync.Mutex
	deliveries []*Delivery
	cancelled  []string      // tags of consumers that RabbitMQ has cancelled
	arrived    chan struct{} // has an element when there is something to take
}

func (in *inbox) add(d *Delivery) {
	in.mu.Lock()
	in.deliveries = append(in.deliveries, d)
	in.mu.Unlock()
	in.signal()
}

func (in *inbox) addCancelled(tag string) {
	in.mu.Lock()
	in.cancelled = append(in.cancelled, tag)
	in.mu.Unlock()
	in.signal()
}

func (in *inbox) signal() {
	select {
	case in.arrived <- struct{}{}:
	default:
	}
}

// Arrived returns a channel that has an element when there is something to
// take.
func (ch *Channel) Arrived() <-chan struct{} { return ch.inbox.arrived }

// Take returns the messages that have arrived since the last call, in the order
// of their tags, and the tags of the consumers that RabbitMQ has cancelled,
// because their queues were deleted. It goes on to collect in reuse, the result
// of an earlier call that is needed no more.
func (ch *Channel) Take(reuse []*Delivery) (ds []*Delivery, cancelled []string) {
	clear(reuse)
	in := &ch.inbox
	in.mu.Lock()
	defer in.mu.Unlock()
	ds, cancelled = in.deliveries, in.cancelled
	in.deliveries, in.cancelled = reuse[:0], nil
	return ds, cancelled
}

// ErrCancelled is why nothing more comes from a queue.
var ErrCancelled = errors.New("RabbitMQ has cancelled the consumption; the queue may have been deleted")

// Wait returns the messages that have arrived since the last call, and waits
// for some. It is for channels with one consumer.
func (ch *Channel) Wait(ctx context.Context) ([]*Delivery, error) {
	for {
		ds, cancelled := ch.Take(nil)
		if len(ds) > 0 {
			if len(cancelled) > 0 {
				ch.inbox.addCancelled(cancelled[0]) // the next call says so
			}
			return ds, nil
		}
		if len(cancelled) > 0 {
			return nil, ErrCancelled
		}
		select {
		case <-ch.inbox.arrived:
		case <-ch.done:
			return nil, ch.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
