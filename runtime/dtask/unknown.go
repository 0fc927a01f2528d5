package dtask

import (
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// unknownTo returns the outcome of a message that only another build can run: it
// is handed back with a growing delay, and after KeepUnknown it is dead.
func (w *Worker) unknownTo(m *Message, reason error) Outcome {
	if m.HandedBack > 0 {
		if kept := w.now().Sub(m.HandedBackSince); kept >= w.config.KeepUnknown {
			return Outcome{Kind: OutcomeDead, Err: failuref(broker.FailureUnknown, "no build took it for %v: %w", kept.Round(time.Second), reason)}
		}
	}
	switch first, full := w.unknown.add(m.Task + "\x00" + m.Schema); {
	case full:
		w.log.Warn("handing back messages of yet more other builds; their tasks are no longer logged one by one",
			"tasks", maxUnknown, "queue", m.Queue, "dead_letter_after", w.config.KeepUnknown)
	case first:
		w.log.Warn("handing back messages of another build; logged once for each task and schema",
			"task", m.Task, "queue", m.Queue, "reason", reason, "dead_letter_after", w.config.KeepUnknown)
	}
	return Outcome{Kind: OutcomeHandedBack, Err: reason, In: min(time.Second<<min(m.HandedBack, 10), time.Minute)}
}

// maxUnknown is how many tasks of other builds a worker logs. Their names come
// from messages, so there is no end to them.
const maxUnknown = 100

// unknownTasks are the tasks, with their schemas, that a worker has logged as
// those of another build.
type unknownTasks struct {
	mu     sync.Mutex
	logged map[string]bool
	full   bool
}

// add reports whether a task is a new one, or else the first one too many.
func (u *unknownTasks) add(task string) (first, full bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.full || u.logged[task]:
		return false, false
	case len(u.logged) == maxUnknown:
		u.full = true
		return false, true
	case u.logged == nil:
		u.logged = make(map[string]bool)
	}
	u.logged[task] = true
	return true, false
}
