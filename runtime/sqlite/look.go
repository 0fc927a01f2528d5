package sqlite

import (
	"database/sql/driver"
	"time"
)

// lookOutside notices processes that have died and, if nothing else is to do
// that includes it, what other connections have committed.
func (w *writer) lookOutside(now time.Time, idle bool) {
	if len(w.consumers) == 0 && !w.watch.active() {
		return
	}
	if w.rang.Swap(false) {
		w.lastActive, w.expecting = now, now.Add(expectFor)
	}
	w.process.lookForDead(w, now)
	if idle {
		w.noticeCommits(now)
	}
}

// noticeCommits looks whether another connection has committed something.
func (w *writer) noticeCommits(now time.Time) {
	version, err := w.conn.int("PRAGMA data_version")
	if err != nil || version == w.dataVersion {
		return
	}
	w.dataVersion = version
	w.lastActive, w.othersAt, w.expecting = now, now, time.Time{}
	w.watch.changed()
	w.lookAgain()
	w.readPaused()
	w.process.noticeForgotten(w)
}

// readPaused notes which queues are paused. What their consumers fetched ahead
// goes back.
func (w *writer) readPaused() {
	paused := make(map[string]bool)
	if err := w.conn.query(func(row []driver.Value) error {
		paused[row[0].(string)] = true
		return nil
	}, "SELECT name FROM dtask_queues WHERE paused <> 0"); err != nil {
		return
	}
	for _, c := range w.consumers {
		if c.paused = paused[c.queue]; c.paused {
			c.shed(0)
		}
	}
}

// How often the writer looks for the commits of other processes. A look costs
// about 10 µs.
const (
	busyPause   = time.Millisecond       // while something happens
	busyFor     = 100 * time.Millisecond // and that long after
	idlePause   = 4 * time.Millisecond   // else, where no bell rings
	belledPause = 200 * time.Millisecond // where one does
	expectFor   = 2 * time.Second        // how long a commit may take that is under way
)

// pause returns how long the writer may sleep if nobody wakes it.
func (w *writer) pause(now time.Time) time.Duration {
	w.mu.Lock()
	idle := w.inbox.empty()
	w.mu.Unlock()
	if wait := w.retryAt.Sub(now); wait > 0 || !idle {
		return max(wait, 0)
	}
	if len(w.consumers) == 0 && !w.watch.active() {
		if w.untidy {
			return tidyAfter
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
		for class := range classes {
			if c.room(now) > 0 && !w.skips(c, class) {
				pause = min(pause, max(c.dueAt[class].Sub(now), 0))
			}
		}
	}
	return pause
}

// restPause returns how long an idle writer may sleep. What another process had
// written when the bell was armed does not ring it, and is seen only when its
// commit is on disk: so at first the writer looks on.
func (w *writer) restPause(now time.Time) time.Duration {
	if w.bell == nil {
		w.bell = newBell(w.file, func() { w.rang.Store(true); w.wakeUp() })
	}
	switch news, ok := w.bell.arm(); {
	case !ok:
		return idlePause
	case news:
		w.expecting = now.Add(expectFor)
		return idlePause
	}
	return belledPause
}
