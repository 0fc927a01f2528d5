package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"maps"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Operators control the processes through small tables, mostly empty: pauses, running
// messages that were cancelled, and orders. Every writer reads them when another
// connection has committed something, or an operation of its own has: with the lock in
// hand, before it stores outcomes or claims. So within a transaction it knows them as
// they are, and no task costs a query.
const selectControls = "SELECT what, name, since, until, NULL FROM dtask_pauses" +
	" UNION ALL SELECT NULL, id, owner, NULL, NULL FROM dtask_cancelled" +
	" UNION ALL SELECT NULL, process, NULL, seq, entry FROM dtask_orders"

// readControls notes what is paused and cancelled, and passes on orders.
func (w *writer) readControls() {
	queues, tasks, cancelled := make(map[string]*broker.Pause), make(map[string]broker.Pause), make(cancelledSet)
	if err := w.conn.query(func(row []driver.Value) error {
		name, _ := row[1].(string)
		switch what, isPause := row[0].(string); {
		case isPause && what == string(broker.PauseQueue):
			p := readPause(row)
			queues[name] = &p
		case isPause && what == string(broker.PauseTask):
			tasks[name] = readPause(row)
		case isPause:
		case row[4] == nil:
			cancelled[name], _ = row[2].(int64)
		default:
			number, _ := row[3].(int64)
			entry, _ := row[4].(string)
			var o broker.Order
			if json.Unmarshal([]byte(entry), &o) == nil {
				w.listeners.Pass(name, number, o)
			}
		}
		return nil
	}, selectControls); err != nil {
		return
	}
	w.setPaused(queues, tasks)
	w.setCancelled(cancelled)
}

// setPaused notes which queues and tasks are paused. What was fetched ahead of them goes
// back.
func (w *writer) setPaused(queues map[string]*broker.Pause, tasks map[string]broker.Pause) {
	same := maps.EqualFunc(w.paused, tasks, func(a, b broker.Pause) bool { return a.Since.Equal(b.Since) })
	w.paused = tasks
	for _, c := range w.consumers {
		if c.paused = queues[c.queue]; c.paused != nil || !same {
			c.shed(0)
		}
	}
}
