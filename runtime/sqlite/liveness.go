package sqlite

import (
	"database/sql/driver"
	"os"
	"time"
)

// lookForDeadEvery is how often a consuming process tests the locks of the
// others.
const lookForDeadEvery = 400 * time.Millisecond

// The statements about the consumers of a process.
const (
	forgetConsumers  = "DELETE FROM dtask_consumers WHERE lock = ?"
	renewLease       = "UPDATE dtask_consumers SET lease = ? WHERE lock = ?"
	registerConsumer = "INSERT INTO dtask_consumers (queue, lock, pid, lease) VALUES (?, ?, ?, ?)"
	countConsumers   = "SELECT count(*) FROM dtask_consumers WHERE lock = ?"
	lastLease        = "SELECT max(lease) FROM dtask_consumers WHERE lock = ?"
)

// liveness is what a process that consumes the file shows of itself, and knows of
// the others: who lives, and who has died with messages in its hands.
type liveness struct {
	lock      *lockFile // nil until it consumes
	lookAt    time.Time // when to test the others' locks next
	renewed   time.Time // when the lease was last renewed
	steady    time.Time // since when that has been in time
	dead      []deadProcess
	forgotten bool // others took it for dead
}

// deadProcess is a process that is gone, or does nothing. Its lock is held until its messages
// are free, so that no other process does the same.
type deadProcess struct {
	name      string
	lock      *lockFile // nil if the lease ran out
	suspended bool      // it holds its lock
}

// join takes the lock that says that this process lives. It is called in a
// transaction, as the registration that follows is: the files it finds belong
// to registered processes, or to nobody.
func (l *liveness) join(c *conn, t target) (err error) {
	if l.lock != nil {
		return nil
	}
	registered := make(map[string]bool)
	if err := c.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		registered[name] = true
		return nil
	}, "SELECT DISTINCT lock FROM dtask_consumers"); err != nil {
		return err
	}
	removeStaleLocks(t, registered)
	l.lock, err = newLockFile(t)
	return err
}

// leave gives the lock back.
func (l *liveness) leave() {
	if l.lock != nil {
		l.lock.remove()
		l.lock = nil
	}
	for _, d := range l.dead {
		if d.lock != nil {
			d.lock.file.Close()
		}
	}
}

// abandon gives the lock back, and leaves its file to be found by the others.
func (l *liveness) abandon() {
	l.lock.file.Close()
	l.lock = nil
}

// lookForDead tests the locks of the other processes.
func (l *liveness) lookForDead(w *writer, now time.Time) {
	if l.lock == nil || now.Before(l.lookAt) || len(l.dead) > 0 {
		return
	}
	l.lookAt = now.Add(lookForDeadEvery)
	w.conn.query(func(row []driver.Value) error {
		name, _ := row[0].(string)
		ms, _ := row[1].(int64)
		lease := time.UnixMilli(ms)
		switch lock, state := tryLock(w.target, name); {
		case state == lockFree:
			l.dead = append(l.dead, deadProcess{name: name, lock: lock})
		case runOut(lease, now) && l.provesDeath(now):
			l.dead = append(l.dead, deadProcess{name: name, suspended: state == lockHeld})
		}
		return nil
	}, "SELECT lock, max(lease) FROM dtask_consumers WHERE lock <> ? GROUP BY lock", l.lock.name)
}

// needsTransaction reports whether maintain has something to do.
func (l *liveness) needsTransaction(now time.Time) bool {
	return l.lock != nil && (len(l.dead) > 0 || l.forgotten || l.needsRenewal(now))
}

// maintain frees the messages of dead processes, renews the lease of this one, and
// as often as that repairs what is out of place and notes what time it is.
func (l *liveness) maintain(w *writer, now time.Time) error {
	if l.lock == nil {
		return nil
	}
	for _, d := range l.dead {
		if err := l.free(w, d, now); err != nil {
			return err
		}
	}
	if !l.needsRenewal(now) && !l.forgotten {
		return nil
	}
	if _, err := w.operate(w.repair); err != nil {
		return err
	}
	if err := w.noteTime(now); err != nil {
		return err
	}
	n, err := w.conn.exec(renewLease, now.Add(lease).UnixMilli(), l.lock.name)
	if err != nil || n >= len(w.consumers) {
		return err
	}
	w.log.Warn("another process took this one for dead, and its messages: they run again; the consumers go on", "file", w.file)
	// They go on with new ids: outcomes that are reported under the old ones
	// have no effect.
	for _, c := range w.consumers {
		c.shed(0) // what nobody has begun
		if err := w.register(c, now); err != nil {
			return err
		}
	}
	return nil
}

// free frees the messages of a dead process. One that is dead by its lease may
// have renewed it while we waited for the transaction.
func (l *liveness) free(w *writer, d deadProcess, now time.Time) error {
	if d.lock == nil {
		last, err := w.conn.int(lastLease, d.name)
		if err != nil || !runOut(time.UnixMilli(last), now) || !l.provesDeath(now) {
			return err
		}
	}
	if err := w.freeOfDead(d, now); err != nil {
		return err
	}
	w.lookAgain()
	_, err := w.conn.exec(forgetConsumers, d.name)
	return err
}

// register enters a consumer of this process.
func (w *writer) register(c *consumer, now time.Time) (err error) {
	if err := w.noteTime(now); err != nil {
		return err
	}
	_, c.id, err = w.conn.insert(registerConsumer, c.queue, w.liveness.lock.name, int64(os.Getpid()), now.Add(lease).UnixMilli())
	return err
}

// noticeForgotten notes whether others have taken this process for dead.
func (l *liveness) noticeForgotten(w *writer) {
	if l.lock == nil {
		return
	}
	n, err := w.conn.int(countConsumers, l.lock.name)
	l.forgotten = err == nil && int(n) < len(w.consumers)
}

// maintained is called when what maintain did is durable.
func (l *liveness) maintained(now time.Time) {
	for _, d := range l.dead {
		if d.lock != nil {
			d.lock.remove()
		}
	}
	l.dead = nil
	l.forgotten = false
	if l.lock != nil && l.needsRenewal(now) {
		l.noteRenewal(now)
	}
}
