package dtask

import (
	"context"
	"log/slog"
	"time"
)

// An EnqueueFunc enqueues messages. The result has an error, or nil, for each.
type EnqueueFunc func(ctx context.Context, ms []*Message) []error

// EnqueueMiddleware wraps the enqueueing of a client: it may add headers to
// messages, refuse them with errors, or observe what becomes of them. Delay
// passes one message, DelayMany a batch.
type EnqueueMiddleware func(next EnqueueFunc) EnqueueFunc

// A HandleFunc handles a delivered message and returns the outcome. m holds
// the task, the queue and the attempt; ctx is that of the worker, from which
// the context of the function derives.
type HandleFunc func(ctx context.Context, m *Message) Outcome

// Middleware wraps the handling of a message by a worker, as middleware of
// net/http wraps a handler. It sees every message delivered, also those that
// never reach a function: expired ones and those of another build. The first
// of several is the outermost.
//
// It sees one outcome of an attempt, when the function has returned. That is
// late for a function that the worker has given up meanwhile: the outcome is
// [GivenUp], whatever the function returned.
type Middleware func(next HandleFunc) HandleFunc

// Logging returns the middleware through which every worker logs: the start of
// a task at debug, its end at info, a failure at warn with the time of the
// next attempt, a dead letter at error. Arguments are never logged: they may
// be secret.
func Logging(log *slog.Logger) Middleware {
	return func(next HandleFunc) HandleFunc {
		return func(ctx context.Context, m *Message) Outcome {
			if log.Enabled(ctx, slog.LevelDebug) {
				log.LogAttrs(ctx, slog.LevelDebug, "task started", attrs(m)...)
			}
			start := time.Now()
			o := next(ctx, m)
			logOutcome(ctx, log, m, o, time.Since(start))
			return o
		}
	}
}

func logOutcome(ctx context.Context, log *slog.Logger, m *Message, o Outcome, took time.Duration) {
	var level slog.Level
	var text string
	switch o.Kind {
	case Executed:
		level, text = slog.LevelInfo, "task done"
	case Retried:
		level, text = slog.LevelWarn, "task failed"
	case Buried:
		level, text = slog.LevelError, "task moved to the dead letters"
	case Snoozed:
		level, text = slog.LevelInfo, "task snoozed"
	case Interrupted:
		level, text = slog.LevelWarn, "task not finished within the grace period; handed back"
	case Unknown:
		level, text = slog.LevelDebug, "task of another build handed back"
	case GivenUp:
		level, text = slog.LevelWarn, "given-up task has returned"
	}
	if !log.Enabled(ctx, level) {
		return
	}
	as := append(attrs(m), slog.Duration("took", took))
	if o.Err != nil && o.Kind != Snoozed {
		as = append(as, slog.String("err", o.Err.Error()))
	}
	if o.Delay > 0 {
		as = append(as, slog.Duration("again_in", o.Delay.Round(time.Millisecond)))
	}
	log.LogAttrs(ctx, level, text, as...)
}

// attrs returns what every line about a message says.
func attrs(m *Message) []slog.Attr {
	return []slog.Attr{
		slog.String("task", m.Task),
		slog.String("id", m.ID),
		slog.String("queue", m.Queue),
		slog.Int("attempt", m.Attempt),
		slog.Int("of", m.Attempts),
	}
}
