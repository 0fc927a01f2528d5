package sqlite

import "time"

// When a process dies, nobody knows which of the messages in its hands was to
// blame. So each of them loses an attempt, and one that has none left goes to the
// quarantine: it is run while its process runs nothing else (gate.go). Only if it
// was the one running message of a process that died, and no other process died at
// that time, as all do by one kill for want of memory, it was that message.
//
// These are the values of the column quarantine, beside 0.
const (
	toRunAlone = 1
	diedAlone  = 2 // the worker that gets it moves it to the dead letters
)

// setCrashed makes running messages wait again after a crash. The number of
// crashes is bounded, so that it can be added to the attempts.
const setCrashed = "UPDATE dtask_messages SET state = 0, owner = NULL, crashes = min(crashes + 1, 1000000), quarantine = CASE" +
	" WHEN quarantine = 0 AND attempt + crashes + 1 >= attempts THEN 1" +
	" ELSE quarantine END"

const (
	ofDead       = " WHERE state = 1 AND owner IN (SELECT id FROM dtask_consumers WHERE lock = ?)"
	freeMessages = setCrashed + ofDead
	countRunning = "SELECT count(*) FROM dtask_messages INDEXED BY dtask_running" + ofDead

	// countBeside counts what a suspect would run beside: what its process runs, and
	// other suspects of any process. Two that die at the same time, again and again,
	// would clear each other.
	countBeside = "SELECT count(*) FROM dtask_messages INDEXED BY dtask_running WHERE state = 1 AND (quarantine = 1 OR owner IN (SELECT id FROM dtask_consumers WHERE lock = ?))"

	// countSuspects counts the messages that run alone: one, at most.
	countSuspects = "SELECT count(*) FROM dtask_messages INDEXED BY dtask_running WHERE state = 1 AND quarantine = 1"

	// A verdict waits until those who died at the same time have been found.
	convict = "UPDATE dtask_messages SET quarantine = 2, due = ?" + ofDead + " AND quarantine = 1"
	acquit  = "UPDATE dtask_messages INDEXED BY dtask_quarantine SET quarantine = 1, due = ?1 WHERE state = 0 AND quarantine > 0 AND quarantine = 2 AND due > ?1"

	noteDeath = "INSERT OR REPLACE INTO dtask_deaths (lock, finder, newest, at) SELECT ?, ?, max(id), ? FROM dtask_consumers"
	forget    = "DELETE FROM dtask_deaths WHERE at < ?1 OR at > ?1 + 3600000"
	otherLive = "SELECT count(*) FROM dtask_consumers WHERE lock <> ? AND lock <> ?"

	// diedTogether asks whether another process has died that the dead one did not
	// outlive: that was registered then, and was not the one that noticed it.
	diedTogether = "SELECT count(*) FROM dtask_deaths WHERE lock <> ?1 AND finder <> ?1 AND newest >= (SELECT min(id) FROM dtask_consumers WHERE lock = ?1)"
)

// sameTime is how far apart deaths with one cause may be noticed.
const sameTime = time.Second

// freeOfDead frees the messages of a dead process, and finds one guilty if that is
// proven.
func (w *writer) freeOfDead(d deadProcess, now time.Time) error {
	lock := d.name
	running, err := w.conn.int(countRunning, lock)
	if err != nil || running == 0 {
		return err
	}
	if d.suspended { // which is nobody's fault
		w.log.Warn("a worker process is suspended, or hangs; its tasks run again", "lock", lock, "tasks", running, "file", w.file)
		return w.freeMessages(lock)
	}
	if _, err := w.conn.exec(forget, now.Add(-sameTime).UnixMilli()); err != nil {
		return err
	}
	together, err := w.conn.int(diedTogether, lock)
	switch {
	case err != nil:
		return err
	case together > 0:
		_, err = w.conn.exec(acquit, now.UnixMilli())
	case running == 1:
		err = w.convict(lock, now)
	}
	if err != nil {
		return err
	}
	if _, err := w.conn.exec(noteDeath, lock, w.liveness.lock.name, now.UnixMilli()); err != nil {
		return err
	}
	return w.freeMessages(lock)
}

// freeMessages makes the messages of a dead process wait again, but for those that
// were cancelled.
func (w *writer) freeMessages(lock string) error {
	if err := w.endCancelled(w.conn, "IN (SELECT id FROM dtask_consumers WHERE lock = ?)", lock); err != nil {
		return err
	}
	_, err := w.conn.exec(freeMessages, lock)
	return err
}

// convict finds the only message of a dead process guilty if it was in quarantine.
func (w *writer) convict(lock string, now time.Time) error {
	others, err := w.conn.int(otherLive, lock, w.liveness.lock.name)
	if err != nil {
		return err
	}
	due := now
	if others > 0 { // or they died as well
		due = now.Add(sameTime)
	}
	_, err = w.conn.exec(convict, due.UnixMilli(), lock)
	return err
}
