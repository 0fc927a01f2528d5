package sqlite

import (
	"database/sql/driver"
	"os"
	"path/filepath"
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
)

// The values of the column quarantine. A message that could not stand another
// crash is delivered alone: only a crash that is its own can bury it.
const (
	toRunAlone = 1
	diedAlone  = 2
)

// process is this process among those that consume the file.
type process struct {
	lock      *lockFile // nil until it consumes
	lookAt    time.Time // when to test the others' locks next
	heartbeat time.Time // when to renew the lease next
	dead      []deadProcess
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
func (p *process) join(c *conn, database string) (err error) {
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
	removeStaleLocks(database, registered)
	p.lock, err = newLockFile(database)
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

// lookForDead tests the locks of the other processes.
func (p *process) lookForDead(c *conn, now time.Time) {
	if p.lock == nil || now.Before(p.lookAt) || len(p.dead) > 0 {
		return
	}
	p.lookAt = now.Add(lookForDeadEvery)
	dir := filepath.Dir(p.lock.path)
	c.query(func(row []driver.Value) error {
		name, lease := row[0].(string), time.UnixMilli(row[1].(int64))
		switch lock, state := tryLock(filepath.Join(dir, filepath.Base(name))); {
		case state == lockFree:
			p.dead = append(p.dead, deadProcess{name, lock})
		case state == lockUnknown && now.After(lease):
			p.dead = append(p.dead, deadProcess{name, nil})
		}
		return nil
	}, "SELECT lock, max(lease) FROM dtask_consumers WHERE lock <> ? GROUP BY lock", p.lock.name)
}

// needsTransaction reports whether maintain has something to do.
func (p *process) needsTransaction(now time.Time) bool {
	return p.lock != nil && (len(p.dead) > 0 || now.After(p.heartbeat))
}

const (
	freeMessages = "UPDATE dtask_messages SET state = 0, owner = NULL, claim = NULL, crashes = crashes + 1, quarantine = CASE" +
		" WHEN quarantine > 0 THEN 2" +
		" WHEN attempt + crashes + 1 >= attempts THEN 1" +
		" ELSE 0 END" +
		" WHERE state = 1 AND owner IN (SELECT id FROM dtask_consumers WHERE lock = ?)"
	forgetConsumers = "DELETE FROM dtask_consumers WHERE lock = ?"
	renewLease      = "UPDATE dtask_consumers SET lease = ? WHERE lock = ?"
	registerAgain   = "INSERT INTO dtask_consumers (id, queue, lock, pid, lease) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

// maintain frees the messages of dead processes and renews the lease of this
// one.
func (p *process) maintain(w *writer, now time.Time) error {
	if p.lock == nil {
		return nil
	}
	for _, d := range p.dead {
		if _, err := w.conn.exec(freeMessages, d.name); err != nil {
			return err
		}
		if _, err := w.conn.exec(forgetConsumers, d.name); err != nil {
			return err
		}
		w.lookAgain()
	}
	if now.Before(p.heartbeat) {
		return nil
	}
	until := now.Add(lease).UnixMilli()
	n, err := w.conn.exec(renewLease, until, p.lock.name)
	if err != nil {
		return err
	}
	if n < len(w.consumers) { // taken for dead: its messages are free, it goes on
		for _, c := range w.consumers {
			if _, err := w.conn.exec(registerAgain, c.id, c.queue, p.lock.name, int64(os.Getpid()), until); err != nil {
				return err
			}
		}
	}
	return nil
}

// maintained is called when what maintain did is durable.
func (p *process) maintained(now time.Time) {
	for _, d := range p.dead {
		if d.lock != nil {
			d.lock.remove()
		}
	}
	p.dead = nil
	if p.lock != nil && !now.Before(p.heartbeat) {
		p.heartbeat = now.Add(heartbeat)
	}
}
