package dtask

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// logged is the outermost middleware: the start of a task at debug, its end at
// info, a failure at warn with the time of the next attempt, a dead letter at
// error. Arguments are never logged: they may be secret.
func (w *Worker) logged(next HandleFunc) HandleFunc {
	return func(ctx context.Context, m *Message) Outcome {
		if w.log.Enabled(ctx, slog.LevelDebug) {
			w.log.LogAttrs(ctx, slog.LevelDebug, "task started", w.attrs(m)...)
		}
		start := time.Now()
		o := next(ctx, m)
		if e := executionOf(ctx); e.log != nil {
			ctx = e.log
		}
		w.logOutcome(ctx, m, o, time.Since(start))
		return o
	}
}

func (w *Worker) logOutcome(ctx context.Context, m *Message, o Outcome, took time.Duration) {
	var level slog.Level
	var text string
	switch o.Kind {
	case OutcomeDone:
		level, text = slog.LevelInfo, "task done"
	case OutcomeRetried:
		level, text = slog.LevelWarn, "task failed; it will be retried"
	case OutcomeDead:
		level, text = slog.LevelError, "task moved to the dead letters"
	case OutcomeSnoozed:
		level, text = slog.LevelInfo, "task snoozed"
	case OutcomeHandedBack:
		level, text = slog.LevelWarn, "task not finished within the grace period; handed back"
		if isForeign(o.Err) {
			level, text = slog.LevelDebug, "task of another build handed back"
		}
	case OutcomeCancelled:
		level, text = slog.LevelInfo, "task cancelled"
	case OutcomeGivenUp:
		level, text = slog.LevelWarn, "given-up task has returned"
	}
	if !w.log.Enabled(ctx, level) {
		return
	}
	as := append(w.attrs(m), slog.Duration("took", took))
	if o.Err != nil && o.Kind != OutcomeSnoozed && o.Err != ErrCancelled {
		as = append(as, slog.String("err", errorText(o.Err)))
	}
	if o.In > 0 {
		as = append(as, slog.Duration("again_in", o.In.Round(time.Millisecond)))
	}
	w.log.LogAttrs(ctx, level, text, as...)
}

// attrs returns what every line about a message says.
func (w *Worker) attrs(m *Message) []slog.Attr {
	return []slog.Attr{
		slog.String("task", cmp.Or(w.short[m.Task], m.Task)),
		slog.String("id", m.ID),
		slog.String("queue", m.Queue),
		slog.Int("attempt", m.Attempt),
		slog.Int("of", m.Attempts),
	}
}
