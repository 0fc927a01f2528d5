package sqlite

import (
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// committed notes that what was taken from the inbox is on disk, except for the
// given outcomes.
func (w *writer) committed(except []settlement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committing = nil
	if len(except) > 0 {
		w.committing = append(w.committing, except)
	}
}

// Unrecorded implements [broker.Consumer].
func (c *consumer) Unrecorded() (us []broker.Unrecorded) {
	w := c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ss := range append(slices.Clip(w.committing), w.inbox.settlements) {
		for i := range ss {
			if s := &ss[i]; s.delivery.consumer == c && s.verdict != released {
				m := &s.delivery.message
				us = append(us, broker.Unrecorded{ID: m.ID, Task: m.Task, Verdict: s.verdict, Outcome: s.outcome})
			}
		}
	}
	return us
}
