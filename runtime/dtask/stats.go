package dtask

import (
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// WorkerStats counts what became of the messages of a worker. It counts what the
// broker has recorded.
type WorkerStats struct {
	Done       int64 `json:"done"`        // executed
	Retried    int64 `json:"retried"`     // failed, and scheduled again
	Dead       int64 `json:"dead"`        // moved to the dead letters
	Snoozed    int64 `json:"snoozed"`     // asked to be run later
	HandedBack int64 `json:"handed_back"` // unknown to this build, or unfinished at the end
	Cancelled  int64 `json:"cancelled"`   // by a program or an operator
	GivenUp    int64 `json:"given_up"`    // ignored their timeout; counted as what became of them, too
	Running    int64 `json:"running"`     // executed at this moment

	// NotRecorded is the number of outcomes that the broker has not recorded yet.
	// After [Worker.Run] has returned, these tasks may run again.
	NotRecorded int64 `json:"not_recorded"`
}

// Stats returns the counts so far.
func (w *Worker) Stats() WorkerStats {
	unrecorded := w.unrecorded() // before the counts, which are never behind it then
	var running int64
	for _, s := range w.openSlots() {
		if s.current.Load() != nil {
			running++
		}
	}
	stats := WorkerStats{
		Done:       w.stats.done.Load(),
		Retried:    w.stats.retried.Load(),
		Dead:       w.stats.dead.Load(),
		Snoozed:    w.stats.snoozed.Load(),
		HandedBack: w.stats.handedBack.Load(),
		Cancelled:  w.stats.cancelled.Load(),
		GivenUp:    w.stats.givenUp.Load(),
		Running:    running,
	}
	for _, u := range unrecorded {
		stats.NotRecorded++
		switch u.Outcome {
		case OutcomeDone.String():
			stats.Done--
		case OutcomeRetried.String():
			stats.Retried--
		case OutcomeDead.String():
			stats.Dead--
		case OutcomeSnoozed.String():
			stats.Snoozed--
		case OutcomeHandedBack.String():
			stats.HandedBack--
		case OutcomeCancelled.String():
			stats.Cancelled--
		}
	}
	return stats
}

// unrecorded returns the outcomes that the broker has not recorded.
func (w *Worker) unrecorded() (us []broker.Unrecorded) {
	w.mu.Lock()
	consumers := slices.Clone(w.consumers)
	w.mu.Unlock()
	for _, c := range consumers {
		us = append(us, c.Unrecorded()...)
	}
	return us
}

// running returns what is executed at this moment. Of the delivery it looks only at what
// no task can change.
func (w *Worker) running() (list []broker.ProcessRunning) {
	for _, s := range w.openSlots() {
		if e := s.current.Load(); e != nil {
			list = append(list, e.known)
		}
	}
	return list
}
