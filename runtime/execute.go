package dtask

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Info says which task, and which attempt, a context belongs to.
type Info struct {
	ID       string
	Task     string
	Queue    string
	Attempt  int // from 1
	Attempts int // how many are allowed
}

// InfoFromContext returns the task that runs with ctx, and whether there is
// one: a direct call of the function has none.
func InfoFromContext(ctx context.Context) (Info, bool) {
	info, ok := ctx.Value(infoKey{}).(Info)
	return info, ok
}

type infoKey struct{}

// taskContext adds the client and the task to the context of an attempt. It is
// one allocation where two context.WithValue would be four.
type taskContext struct {
	context.Context
	client *Client
	info   Info
}

func (c *taskContext) Value(key any) any {
	switch key.(type) {
	case clientKey:
		return c.client
	case infoKey:
		return c.info
	}
	return c.Context.Value(key)
}

// An execution is a delivery that is being handled.
type execution struct {
	delivery Delivery
	info     Info
	claimed  atomic.Bool
}

// claim reports whether the caller is the one who settles the delivery. The
// message is the claimant's.
func (e *execution) claim() bool { return e.claimed.CompareAndSwap(false, true) }

// process handles one delivery and settles it.
func (w *Worker) process(ctx context.Context, d Delivery) {
	m := d.Message()
	e := &execution{delivery: d, info: Info{m.ID, m.Task, m.Queue, m.Attempt, m.Attempts}}
	start := time.Now()
	h := w.tasks[m.Task]
	switch {
	case !m.Expires.IsZero() && start.After(m.Expires):
		w.bury(d, "expired at "+m.Expires.UTC().Format(time.RFC3339)+", before a worker was free", "")
	case m.Attempt > m.Attempts:
		m.Attempt = m.Attempts
		w.bury(d, "the worker died during the last attempt", "")
	case h == nil:
		w.giveBack(d, "no worker of this build has a task "+m.Task)
	default:
		w.running.Store(e, struct{}{})
		defer w.running.Delete(e)
		defer func() {
			// Only runtime.Goexit in the handler gets here with e unclaimed.
			if e.claim() {
				w.conclude(ctx, h, d, errors.New("the handler called runtime.Goexit"), time.Since(start))
			}
		}()
		w.log.LogAttrs(ctx, slog.LevelDebug, "task started", attrs(m)...)
		err := run(ctx, w.client, h, m, e.info)
		if e.claim() {
			w.conclude(ctx, h, d, err, time.Since(start))
		}
	}
}

// run makes one attempt: it decodes the arguments and calls the function, with
// the time allowed. A panic is an error.
func run(ctx context.Context, c *Client, h *Handler, m *Message, info Info) (err error) {
	if h.Spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.Spec.Timeout)
		defer cancel()
	}
	tctx := &taskContext{ctx, c, info}
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: string(debug.Stack())}
		}
	}()
	err = h.run(tctx, m)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("timeout after %v: %w", h.Spec.Timeout, err)
	}
	return err
}

// conclude settles an attempt by its error.
func (w *Worker) conclude(ctx context.Context, h *Handler, d Delivery, err error, took time.Duration) {
	m := d.Message()
	var (
		foreign     *foreignError
		undecodable *undecodableError
		snooze      *snoozeError
		permanent   *permanentError
		panicked    *PanicError
		stack       string
	)
	if errors.As(err, &panicked) {
		stack = panicked.Stack
	}
	switch {
	case err == nil:
		w.stats.done.Add(1)
		w.log.LogAttrs(ctx, slog.LevelInfo, "task done", append(attrs(m), slog.Duration("took", took))...)
		d.Settle(Done)
	case errors.As(err, &foreign):
		w.giveBack(d, foreign.Error())
	case errors.As(err, &undecodable):
		w.bury(d, undecodable.Error(), "")
	case errors.As(err, &snooze):
		w.stats.snoozed.Add(1)
		w.log.LogAttrs(ctx, slog.LevelInfo, "task snoozed", append(attrs(m), slog.Duration("for", snooze.after))...)
		m.NotBefore = time.Now().Add(snooze.after)
		d.Settle(Requeue)
	case context.Cause(ctx) == errStopped && (errors.Is(err, context.Canceled) || errors.Is(err, errStopped)):
		w.stats.returned.Add(1)
		w.log.LogAttrs(ctx, slog.LevelWarn, "task not finished within the grace period; handed back", attrs(m)...)
		m.NotBefore = time.Time{}
		d.Settle(Requeue)
	case errors.As(err, &permanent), m.Attempt >= m.Attempts:
		w.bury(d, err.Error(), stack)
	default:
		w.retry(h, d, err, stack)
	}
}

// retry schedules the next attempt.
func (w *Worker) retry(h *Handler, d Delivery, err error, stack string) {
	m := d.Message()
	delay := retryDelay(h.Spec.Backoff, m.Attempt, rand.Float64())
	var after *retryAfterError
	if errors.As(err, &after) {
		delay = after.after
	}
	now := time.Now()
	w.log.LogAttrs(context.Background(), slog.LevelWarn, "task failed",
		append(attrs(m), slog.String("err", err.Error()), slog.Duration("retry_in", delay.Round(time.Millisecond)))...)
	w.stats.retried.Add(1)
	m.fail(now, err.Error(), stack)
	m.Attempt++
	m.NotBefore = now.Add(delay)
	m.Returned, m.ReturnedSince = 0, time.Time{}
	d.Settle(Requeue)
}

// bury sends the message to the dead letters with the reason.
func (w *Worker) bury(d Delivery, reason, stack string) {
	m := d.Message()
	w.stats.buried.Add(1)
	w.log.LogAttrs(context.Background(), slog.LevelError, "task moved to the dead letters",
		append(attrs(m), slog.String("err", reason))...)
	m.fail(time.Now(), reason, stack)
	d.Settle(Bury)
}

// giveBack returns a message that is another build's to run, for a growing
// time, and after KeepUnknown to the dead letters.
func (w *Worker) giveBack(d Delivery, reason string) {
	m := d.Message()
	now := time.Now()
	if m.Returned == 0 {
		m.ReturnedSince = now
	}
	if kept := now.Sub(m.ReturnedSince); m.Returned > 0 && kept >= w.config.KeepUnknown {
		w.bury(d, fmt.Sprintf("no build took it for %v: %s", kept.Round(time.Second), reason), "")
		return
	}
	if _, logged := w.unknown.LoadOrStore(m.Task+"\x00"+m.Schema, struct{}{}); !logged {
		w.log.Warn("messages of another build handed back; this is said once",
			"task", m.Task, "queue", m.Queue, "reason", reason, "until_dead_letter", w.config.KeepUnknown)
	}
	w.stats.returned.Add(1)
	delay := min(time.Second<<min(m.Returned, 10), time.Minute)
	m.Returned++
	m.NotBefore = now.Add(delay)
	d.Settle(Requeue)
}

// attrs returns what every line about a message says. Arguments are never
// logged: they may be secret.
func attrs(m *Message) []slog.Attr {
	return []slog.Attr{
		slog.String("task", m.Task),
		slog.String("id", m.ID),
		slog.String("queue", m.Queue),
		slog.Int("attempt", m.Attempt),
		slog.Int("of", m.Attempts),
	}
}
