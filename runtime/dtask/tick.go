package dtask

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// TickHeader is the header of a periodic task's message that holds the time of
// its tick, in the format of RFC 3339.
const TickHeader = "dtask-tick"

// Tick enqueues a periodic task for the tick of its schedule at the time to, if
// the newest tick so far is still the one at the time from. So one message is
// enqueued, however many processes call Tick for the same tick. It reports
// whether this call did it, and the id of the message. The message passes
// through the middleware of the client, as with any Delay. If the middleware drops
// it, the tick is over all the same, and the id is empty. Package worker calls
// Tick when the task is due.
//
// The error wraps [ErrUnsupported] if the broker keeps no ticks. After another
// error the tick may or may not have happened.
func (c *Client) Tick(ctx context.Context, task BoundTask, from, to time.Time) (id string, ticked bool, err error) {
	store, err := broker.As[broker.TickStore](c.broker)
	if err != nil {
		return "", false, err
	}
	m := newMessage(task.Name, &task.Spec, c.now())
	m.ID = tickID(task.Name, to)
	m.Body = []byte("{}")
	m.SetHeader(TickHeader, to.UTC().Format(time.RFC3339))
	if err := m.Validate(); err != nil {
		return "", false, &EnqueueError{Task: task.Name, Err: err}
	}
	tried := false
	tick := func(ctx context.Context, ms []*Message) []error {
		switch len(ms) {
		case 0:
			return nil
		case 1:
			var err error
			tried = true
			ticked, err = store.Tick(ctx, task.Name, from, to, ms[0])
			return []error{err}
		}
		return slices.Repeat([]error{errTickOfMany}, len(ms))
	}
	limited, own := c.limit.apply(ctx)
	defer own.end()
	err = c.through(tick)(limited, []*Message{&m})[0]
	if err == nil && !tried { // middleware has dropped the message: its tick is over
		ticked, err = store.Tick(limited, task.Name, from, to, nil)
		m.ID = ""
	}
	err = c.limit.explain(ctx, limited, err)
	if err != nil {
		return m.ID, false, &EnqueueError{Task: task.Name, ID: m.ID, Err: err}
	}
	return m.ID, ticked, nil
}

// errTickOfMany: what follows from a tick is stored with it, and is one message.
var errTickOfMany = errors.New("the middleware passes on several messages for one tick; enqueue the others by a Delay of their own")

// tickID returns the id of a tick's message, which is the same in every process:
// a UUIDv8 of a SHA-256 (RFC 9562, section 5.8 and appendix B.2).
func tickID(task string, tick time.Time) string {
	u := sha256.Sum256([]byte(task + "@" + tick.UTC().Format(time.RFC3339)))
	u[6] = 0x80 | u[6]&0x0f
	u[8] = 0x80 | u[8]&0x3f
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
