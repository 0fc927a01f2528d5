package sqlite

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Damage, or another program, may leave messages where no claim looks for them:
// they would never run, nor be found among the dead letters.
const (
	// impossible are the rows that no other index has, or none that is looked at:
	// their state is unknown, or they wait for ever.
	impossible = "(state < 0 OR state > 2 OR (state = 0 AND (quarantine < 0 OR due > 253402300799999)))"

	findImpossible = "SELECT seq, state, quarantine, due FROM dtask_messages INDEXED BY dtask_impossible WHERE " + impossible + " LIMIT 1000"

	// misplaced finds waiting messages with a priority that does not exist.
	misplaced = "SELECT seq FROM (" +
		"SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue IN (SELECT name FROM dtask_queues) AND priority > 1" +
		" UNION ALL " +
		"SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue IN (SELECT name FROM dtask_queues) AND priority < -1" +
		") LIMIT 1000"

	// freeOrphans frees running messages whose consumer is not registered:
	// nobody can tell whether its process is dead.
	freeOrphans = setCrashed + " WHERE seq IN (SELECT seq FROM dtask_messages INDEXED BY dtask_running" +
		" WHERE state = 1 AND (owner IS NULL OR owner NOT IN (SELECT id FROM dtask_consumers)) LIMIT 1000)"
)

// repair moves misplaced messages to the dead letters, and frees orphans. It
// reads no other rows than these and the running ones.
func (w *writer) repair(conn *conn) error {
	var found, damaged []*delivery
	if err := conn.query(func(row []driver.Value) error {
		found = append(found, &delivery{seq: row[0].(int64)})
		return nil
	}, misplaced); err != nil {
		return err
	}
	if err := conn.query(func(row []driver.Value) error {
		found = append(found, &delivery{
			seq:  row[0].(int64),
			lost: fmt.Errorf("the stored message is damaged: state is %v, quarantine %v, due %v", row[1], row[2], row[3]),
		})
		return nil
	}, findImpossible); err != nil {
		return err
	}
	for _, d := range found {
		if err := w.readWhole(d); err != nil {
			return err
		}
		d.damage = cmp.Or(d.damage, d.lost)
		if d.damage != nil {
			damaged = append(damaged, d)
		}
	}
	if err := w.setDead(damaged, time.Now(), w.log); err != nil {
		return err
	}
	if err := w.endCancelled(conn, "NOT IN (SELECT id FROM dtask_consumers)"); err != nil {
		return err
	}
	n, err := conn.exec(freeOrphans)
	if n > 0 {
		w.lookAgain()
	}
	return err
}

// setDead moves messages whose rows cannot be read to the dead letters.
func (w *writer) setDead(damaged []*delivery, now time.Time, log *slog.Logger) error {
	for _, d := range damaged {
		m := &d.message
		log.Error("damaged message moved to the dead letters", "queue", m.Queue, "id", m.ID, "err", d.damage)
		failures, err := json.Marshal(append(m.Failures,
			broker.Failure{Attempt: m.Attempt, At: now, Kind: broker.FailureUndecodable, Error: d.damage.Error()}))
		if err != nil {
			return err
		}
		if _, err := w.conn.exec("UPDATE dtask_messages SET state = 2, due = ?, owner = NULL, failures = ? WHERE seq = ?",
			now.UnixMilli(), string(failures), d.seq); err != nil {
			return err
		}
	}
	return nil
}
