package sqlite

import (
	"database/sql/driver"
	"os"
	"time"
)

const (
	// lookForDeadEvery is how often a consuming process tests the locks of the
	// others.
	lookForDeadEvery = 400 * time.Millisecond

	// lease is how long the consumers of a process are taken to live after
	// their last heartbeat where its lock cannot be tested: the file was
	// deleted, or the file system has no locks.
	lease     = 30 * time.Second
	heartbeat = lease / 3

	// lateHeartbeat is when a process that could not renew its own lease no
	// longer expects it of the others: the file was locked, or the machine slept.
	lateHeartbeat = lease / 2
)

// The values of the column quarantine. A message that could not stand another
// crash is delivered alone: only a crash that is its own makes it a dead letter.
const (
	toRunAlone = 1
	diedAlone  = 2
)

// process is this process among those that consume the file.
type process struct {
	lock      *lockFile // nil until it consumes
	lookAt    time.Time // when to test the others' locks next
	renewed   time.Time // when the lease was last renewed
	steady    time.Time // since when that has been in time
	dead      []deadProcess
	forgotten bool // others took it for dead
}

// deadProcess is a process that is gone. Its lock is held until its messages
// are free, so that no other process does the same.
type deadProcess struct {
	name string
	lock *lockFile // nil if the lease ran out
}

// join takes the lock that says that this process lives. It is called in a
// transaction, as the registration that follows is: the files it finds belong
// to registered processes, or to nobody.
func (p *process) join(c *conn, t target) (err error) {
	if p.lock != nil {
		return nil
	}
	registered := make(map[string]bool)
	if err := c.query(func(row []driver.Value) error {
		registered[row[0].(string)] = true
		return nil
	}, "SELECT DISTINCT lock FROM dtask_consumers"); err != nil {
		return err
	}
	removeStaleLocks(t, registered)
	p.lock, err = newLockFile(t)
	return err
}

// leave gives the lock back.
func (p *process) leave() {
	if p.lock != nil {
		p.lock.remove()
		p.lock = nil
	}
	for _, d := range p.dead {
		if d.lock != nil {
			d.lock.file.Close()
		}
	}
}

// abandon gives the lock back, and leaves its file to be found by the others.
func (p *process) abandon() {
	p.lock.file.Close()
	p.lock = nil
}

// lookForDead tests the locks of the other processes.
func (p *process) lookForDead(w *writer, now time.Time) {
	if p.lock == nil || now.Before(p.lookAt) || len(p.dead) > 0 {
		return
	}
	p.lookAt = now.Add(lookForDeadEvery)
	w.conn.query(func(row []driver.Value) error {
		name, lease := row[0].(string), time.UnixMilli(row[1].(int64))
		switch lock, state := tryLock(w.target, name); {
		case state == lockFree:
			p.dead = append(p.dead, deadProcess{name, lock})
		case state == lockUnknown && now.After(lease) && p.leasesCount(now):
			p.dead = append(p.dead, deadProcess{name, nil})
		}
		return nil
	}, "SELECT lock, max(lease) FROM dtask_consumers WHERE lock <> ? GROUP BY lock", p.lock.name)
}

// leasesCount reports whether a lease that has run out means that its process is
// dead: the file has been there to be written, for long enough that a process that
// lives would have renewed its lease.
func (p *process) leasesCount(now time.Time) bool {
	return now.Sub(p.steady) > heartbeat && p.sinceRenewal(now) < lateHeartbeat
}

// sinceRenewal returns how old the lease is, by the time that has passed or by
// the clock, whichever is more: the machine may have slept, or the clock been set.
func (p *process) sinceRenewal(now time.Time) time.Duration {
	return max(now.Sub(p.renewed), now.Round(0).Sub(p.renewed).Abs())
}

// needsRenewal reports whether the lease is to be renewed.
func (p *process) needsRenewal(now time.Time) bool { return p.sinceRenewal(now) >= heartbeat }

// needsTransaction reports whether maintain has something to do.
func (p *process) needsTransaction(now time.Time) bool {
	return p.lock != nil && (len(p.dead) > 0 || p.forgotten || p.needsRenewal(now))
}

const (
	setCrashed = "UPDATE dtask_messages SET state = 0, owner = NULL, crashes = min(crashes + 1, 1000000), quarantine = CASE" +
		" WHEN quarantine > 0 THEN 2" +
		" WHEN attempt + crashes + 1 >= attempts THEN 1" +
		" ELSE 0 END"
	freeMessages     = setCrashed + " WHERE state = 1 AND owner IN (SELECT id FROM dtask_consumers WHERE lock = ?)"
	forgetConsumers  = "DELETE FROM dtask_consumers WHERE lock = ?"
	renewLease       = "UPDATE dtask_consumers SET lease = ? WHERE lock = ?"
	registerConsumer = "INSERT INTO dtask_consumers (queue, lock, pid, lease) VALUES (?, ?, ?, ?)"
	countConsumers   = "SELECT count(*) FROM dtask_consumers WHERE lock = ?"
	lastLease        = "SELECT max(lease) FROM dtask_consumers WHERE lock = ?"
)

// maintain frees the messages of dead processes, renews the lease of this one,
// and as often as that mends what is out of place.
func (p *process) maintain(w *writer, now time.Time) error {
	if p.lock == nil {
		return nil
	}
	for _, d := range p.dead {
		if err := p.free(w, d, now); err != nil {
			return err
		}
	}
	if !p.needsRenewal(now) && !p.forgotten {
		return nil
	}
	if _, err := w.operate(w.mend); err != nil {
		return err
	}
	n, err := w.conn.exec(renewLease, now.Add(lease).UnixMilli(), p.lock.name)
	if err != nil || n >= len(w.consumers) {
		return err
	}
	w.log.Warn("another process took this one for dead and has its messages: they run again; the consumers go on", "file", w.file)
	// Others have taken this process for dead, and its messages. It goes on
	// with new ids: outcomes that it still reports under the old ones count no
	// more.
	for _, c := range w.consumers {
		if err := w.register(c, now); err != nil {
			return err
		}
	}
	return nil
}

// free frees the messages of a dead process. One that is dead by its lease may
// have renewed it while we waited for the transaction.
func (p *process) free(w *writer, d deadProcess, now time.Time) error {
	if d.lock == nil {
		last, err := w.conn.int(lastLease, d.name)
		if err != nil || last >= now.UnixMilli() || !p.leasesCount(now) {
			return err
		}
	}
	if _, err := w.conn.exec(freeMessages, d.name); err != nil {
		return err
	}
	w.lookAgain()
	_, err := w.conn.exec(forgetConsumers, d.name)
	return err
}

// register enters a consumer of this process.
func (w *writer) register(c *consumer, now time.Time) (err error) {
	_, c.id, err = w.conn.insert(registerConsumer, c.queue, w.process.lock.name, int64(os.Getpid()), now.Add(lease).UnixMilli())
	return err
}

// noticeForgotten notes whether others have taken this process for dead.
func (p *process) noticeForgotten(w *writer) {
	if p.lock == nil {
		return
	}
	n, err := w.conn.int(countConsumers, p.lock.name)
	p.forgotten = err == nil && int(n) < len(w.consumers)
}

// maintained is called when what maintain did is durable.
func (p *process) maintained(now time.Time) {
	for _, d := range p.dead {
		if d.lock != nil {
			d.lock.remove()
		}
	}
	p.dead = nil
	p.forgotten = false
	if p.lock != nil && p.needsRenewal(now) {
		if p.sinceRenewal(now) >= lateHeartbeat {
			p.steady = now
		}
		p.renewed = now
	}
}
