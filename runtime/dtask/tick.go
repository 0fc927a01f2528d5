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

// TickHeader is the name of a header. The message of a periodic task has it. Its
// value is the time of the tick, such as 2026-01-02T03:00:00Z (RFC 3339).
const TickHeader = "dtask-tick"

// Tick enqueues a periodic task for the time to. It does so only if the newest tick
// of the schedule is still the one at the time from. So if many processes call Tick
// for the same time, one of them enqueues the task. Package worker calls Tick; a
// program that has its own clock can do so too.
//
// Tick returns the id of the message, and whether this call was the one. The
// message passes through the middleware of the client, as with Delay. If the
// middleware drops the message, the tick counts nevertheless, and the id is empty.
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
