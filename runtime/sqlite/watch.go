package sqlite

import "time"

// lookOutside notices processes that have died and, unless a transaction is about
// to look for it anyway, what other connections have committed.
func (w *writer) lookOutside(now time.Time, idle bool) {
	if !w.interested() {
		return
	}
	if w.walChanged.Swap(false) {
		w.lastActive, w.expecting = now, now.Add(expectFor)
	}
	w.liveness.lookForDead(w, now)
	if idle {
		w.noticeCommits(now)
	}
}

// interested reports whether anybody here wants to know what other processes commit.
func (w *writer) interested() bool {
	return len(w.consumers) > 0 || w.waiters.active() || w.listeners.Any()
}

// noticeCommits looks whether another connection has committed something.
func (w *writer) noticeCommits(now time.Time) {
	version, err := w.conn.int("PRAGMA data_version")
	if err != nil || version == w.dataVersion {
		return
	}
	w.dataVersion = version
	w.lastActive, w.othersAt, w.expecting = now, now, time.Time{}
	w.waiters.changed()
	w.lookAgain()
	w.readControls()
	w.liveness.noticeForgotten(w)
}

// How often the writer looks for the commits of other processes. A look costs
// about 10 µs.
const (
	busyPause    = time.Millisecond       // while something happens
	busyFor      = 100 * time.Millisecond // and that long after
	idlePause    = 4 * time.Millisecond   // else, where the log is not watched
	watchedPause = 200 * time.Millisecond // where it is
	expectFor    = 2 * time.Second        // how long a commit may take that is under way
)

// pause returns how long the writer may sleep if nobody wakes it.
func (w *writer) pause(now time.Time) time.Duration {
	w.mu.Lock()
	idle, failed := w.inbox.empty(), w.gaveUpFor != nil
	w.mu.Unlock()
	if failed {
		return time.Hour
	}
	if wait := w.retryAt.Sub(now); wait > 0 || !idle {
		return max(wait, 0)
	}
	if !w.interested() {
		if w.vacuumDue {
			return vacuumAfter
		}
		return time.Hour
	}
	pause := busyPause
	if now.Sub(w.lastActive) > busyFor {
		pause = idlePause
		if now.After(w.expecting) {
			pause = w.restPause(now)
		}
	}
	for _, c := range w.consumers {
		if c.paused != nil && !c.paused.Until.IsZero() && c.isPaused(now) {
			pause = min(pause, c.paused.Until.Sub(now))
		}
		if !w.gate.shut() && !c.isPaused(now) && !c.stopped.Load() {
			pause = min(pause, max(c.dueAt[quarantine].Sub(now), w.gate.openUntil.Sub(now), 0))
		}
		for class := range quarantine {
			if c.room(now) > 0 {
				pause = min(pause, max(c.dueAt[class].Sub(now), 0))
			}
		}
	}
	return pause
}

// restPause returns how long an idle writer may sleep. The watch does not notice
// what another process had written before it was armed, and such a commit is
// seen only once it is on disk. So at first the writer goes on looking.
func (w *writer) restPause(now time.Time) time.Duration {
	if w.wal == nil {
		w.wal = newWALWatch(w.file, func() { w.walChanged.Store(true); w.wakeUp() })
	}
	switch news, ok := w.wal.arm(); {
	case !ok:
		return idlePause
	case news:
		w.expecting = now.Add(expectFor)
		return idlePause
	}
	return watchedPause
}
