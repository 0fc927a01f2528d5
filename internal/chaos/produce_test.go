//go:build unix

package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/outbox"
)

// A load is what a producer enqueues.
type load struct {
	Task     string        // its name
	Count    int           // 0: until it is stopped
	Callers  int           // concurrent calls of Delay
	Pause    time.Duration // of each caller after each call
	Sleep    time.Duration // how long each task works
	Delayed  int           // how many of a hundred are delayed …
	MaxDelay time.Duration // … by one second to this
	Retries  int           // 0: those of the task
	Build    int           // 0, or which of those in builds_test.go
	Outbox   string        // empty, or where the database of effects_test.go is, to enqueue in its transactions

	db *sql.DB // with Outbox
}

// enqueueTimeout bounds each call of Delay: longer than any fault.
const enqueueTimeout = time.Minute

// produce enqueues the load.
func (l *load) produce(name, url string, log *ledger, stopped <-chan struct{}) error {
	var options []dtask.ClientOption
	if l.Outbox != "" {
		db, err := openEffects(l.Outbox)
		if err != nil {
			return err
		}
		defer db.Close()
		l.db = db
		options = append(options, dtask.WithOutbox(outbox.SQL(db)))
	}
	client, err := open(url, options...)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var next atomic.Int64
	var callers sync.WaitGroup
	for range l.Callers {
		callers.Go(func() {
			for {
				n := int(next.Add(1))
				if l.Count > 0 && n > l.Count {
					return
				}
				l.enqueue(client, fmt.Sprintf("%s-%d", name, n), log)
				select {
				case <-stopped:
					return
				case <-time.After(l.Pause):
				}
			}
		})
	}
	callers.Wait()
	return client.Close()
}

// open opens a client, and tries as long as a call of Delay may take: the
// broker may be down just now.
func open(url string, options ...dtask.ClientOption) (*dtask.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), enqueueTimeout)
	defer cancel()
	return dtask.Open(ctx, url, options...)
}

// enqueue enqueues one task, and notes it.
func (l *load) enqueue(client *dtask.Client, id string, log *ledger) {
	ctx, cancel := context.WithTimeout(dtask.NewContext(context.Background(), client), enqueueTimeout)
	defer cancel()
	var delay time.Duration
	if rand.IntN(100) < l.Delayed {
		delay = time.Second + rand.N(l.MaxDelay-time.Second+1)
	}
	var options []dtask.Option
	if l.Retries > 0 {
		options = append(options, dtask.Retries(l.Retries))
	}
	if l.Build > 0 {
		noted(id, delay, log, options, func(due int64, options []dtask.Option) error {
			return delayOf(ctx, l.Build, id, due, options)
		})
		return
	}
	if l.db != nil {
		noted(id, delay, log, options, func(due int64, options []dtask.Option) error {
			return l.inTransaction(ctx, args{Sleep: l.Sleep, Due: due}, options)
		})
		return
	}
	enqueue(ctx, tasks[l.Task], id, l.Sleep, delay, log, options...)
}

// enqueue enqueues a task under the given id, notes it, and returns the error
// of Delay.
func enqueue(ctx context.Context, t dtask.Task[args, dtask.None], id string, sleep, delay time.Duration, log *ledger, options ...dtask.Option) error {
	return noted(id, delay, log, options, func(due int64, options []dtask.Option) error {
		_, err := t.Delay(ctx, args{Sleep: sleep, Due: due}, options...)
		return err
	})
}

// noted enqueues by a call of Delay, and notes what comes of it.
func noted(id string, delay time.Duration, log *ledger, options []dtask.Option, call func(due int64, options []dtask.Option) error) error {
	log.note(attempted, id, "")
	began := time.Now()
	options = append(options, dtask.ID(id))
	if delay > 0 {
		options = append(options, dtask.In(delay))
	}
	err := call(began.Add(delay).UnixMilli(), options)
	switch {
	case err == nil:
		log.note(confirmed, id, time.Since(began).Microseconds())
	case errors.Is(err, dtask.ErrUnknownOutcome):
		log.note(unknown, id, err)
	default:
		log.note(failed, id, err)
	}
	return err
}
