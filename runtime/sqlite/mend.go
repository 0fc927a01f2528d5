package sqlite

import (
	"database/sql/driver"
	"time"
)

// What damage, or another program, has put where no claim looks for it, and so
// would never run nor be found among the dead letters.
const (
	// Waiting messages of no priority that there is.
	misplaced = "SELECT seq FROM (" +
		"SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue IN (SELECT name FROM dtask_queues) AND priority > 1" +
		" UNION ALL " +
		"SELECT seq FROM dtask_messages INDEXED BY dtask_waiting WHERE state = 0 AND quarantine = 0 AND queue IN (SELECT name FROM dtask_queues) AND priority < -1" +
		") LIMIT 1000"

	// Running messages of a consumer that there is not: its process cannot be
	// noticed to be dead.
	freeOrphans = setCrashed + " WHERE seq IN (SELECT seq FROM dtask_messages INDEXED BY dtask_running" +
		" WHERE state = 1 AND (owner IS NULL OR owner NOT IN (SELECT id FROM dtask_consumers)) LIMIT 1000)"
)

// mend moves the ones to the dead letters and frees the others. It looks at no more than is there of
// them, and at what is running.
func (w *writer) mend(conn *conn) error {
	var seqs []int64
	if err := conn.query(func(row []driver.Value) error {
		seqs = append(seqs, row[0].(int64))
		return nil
	}, misplaced); err != nil {
		return err
	}
	var damaged []damagedRow
	for _, seq := range seqs {
		d := new(delivery)
		if err := conn.query(func(row []driver.Value) error {
			if err := d.read(row); err != nil {
				damaged = append(damaged, damagedRow{seq, &d.message, err})
			}
			return nil
		}, selectWhole, seq); err != nil {
			return err
		}
	}
	if err := w.setDead(damaged, time.Now(), w.log); err != nil {
		return err
	}
	n, err := conn.exec(freeOrphans)
	if n > 0 {
		w.lookAgain()
	}
	return err
}
