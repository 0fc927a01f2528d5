package dtask

// WorkerStats counts what became of the messages a worker took.
type WorkerStats struct {
	Done       int64 `json:"done"`        // executed
	Retried    int64 `json:"retried"`     // failed, and scheduled again
	Dead       int64 `json:"dead"`        // moved to the dead letters
	Snoozed    int64 `json:"snoozed"`     // asked to be run later
	HandedBack int64 `json:"handed_back"` // unknown to this build, or unfinished at the end
	GivenUp    int64 `json:"given_up"`    // ignored their timeout; retried or dead, too
	Running    int64 `json:"running"`     // executed at this moment
}

// Stats returns the counts so far.
func (w *Worker) Stats() WorkerStats {
	var running int64
	for _, s := range w.openSlots() {
		if s.current.Load() != nil {
			running++
		}
	}
	return WorkerStats{
		Done:       w.stats.done.Load(),
		Retried:    w.stats.retried.Load(),
		Dead:       w.stats.dead.Load(),
		Snoozed:    w.stats.snoozed.Load(),
		HandedBack: w.stats.handedBack.Load(),
		GivenUp:    w.stats.givenUp.Load(),
		Running:    running,
	}
}
