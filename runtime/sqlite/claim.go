package sqlite

import (
	"database/sql/driver"
	"time"
)

// claim claims messages for every consumer that has room, into its batch.
func (w *writer) claim(now time.Time) error {
	for _, c := range w.consumers {
		c.ahead.measure(c.settled.Load(), now)
		if err := w.lookUpUnknown(c); err != nil {
			return err
		}
	}
	w.putOff = 0
	if err := w.claimAlone(now); err != nil {
		return err
	}
	for _, c := range w.consumers {
		for w.putOff < step && c.room(now) > 0 && (c.due(high, now) || c.due(normal, now) || c.due(low, now)) {
			for class, n := range c.shares(c.room(now), now) {
				if n == 0 {
					continue
				}
				if err := w.claimClass(c, class, n, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// shares divides n among the priorities that have messages, as the cycle says.
// At least one of them has.
func (c *consumer) shares(n int, now time.Time) (share [quarantine]int) {
	var turns []int // the cycle without those that have nothing
	for i := range cycle {
		if class := cycle[(c.picking+i)%len(cycle)]; c.due(class, now) {
			turns = append(turns, class)
		}
	}
	for i, class := range turns {
		share[class] += n / len(turns)
		if i < n%len(turns) {
			share[class]++
		}
	}
	c.picking += n
	return share
}

// claimClass claims up to n messages of a class.
func (w *writer) claimClass(c *consumer, class, n int, now time.Time) error {
	p, err := w.pick(c, class, n, now)
	if err != nil {
		return err
	}
	if err := w.mark(c, class, &p); err != nil {
		return err
	}
	if err := w.putBackPaused(p.paused, now); err != nil {
		return err
	}
	if err := w.setDead(p.damaged, now, c.log); err != nil {
		return err
	}
	if class == quarantine || p.count < n {
		return w.lookUpDue(c, class)
	}
	return nil
}

// picked is what a claim has found: messages one after the other by due and seq.
type picked struct {
	count             int
	firstDue, lastDue int64
	lastSeq           int64
	damaged, paused   []*delivery // among them
}

// pick reads up to n messages of a class into the batch of c.
func (w *writer) pick(c *consumer, class, n int, now time.Time) (p picked, err error) {
	err = w.conn.query(func(row []driver.Value) error {
		d := &delivery{consumer: c, owner: c.id}
		plain, columns := row[1].(int64) != 0, row[2:]
		d.seq = row[0].(int64)
		p.lastSeq, p.lastDue = d.seq, columns[pickedDue].(int64)
		if p.count++; p.count == 1 {
			p.firstDue = p.lastDue
		}
		if !plain || !d.readPicked(columns) {
			if err := w.readWhole(d); err != nil {
				return err
			}
			if d.damage != nil {
				p.damaged = append(p.damaged, d)
				return nil
			}
		}
		if w.taskPaused(d.message.Task, now) {
			p.paused = append(p.paused, d)
		} else {
			c.batch = append(c.batch, d)
		}
		return nil
	}, queries[class].pick, c.queue, now.UnixMilli(), int64(n))
	return p, err
}

// mark makes the messages that were picked those of c.
func (w *writer) mark(c *consumer, class int, p *picked) error {
	q := &queries[class]
	if p.firstDue < p.lastDue {
		if _, err := w.conn.exec(q.markBefore, c.id, c.queue, p.lastDue); err != nil {
			return err
		}
	}
	if p.count > 0 {
		if _, err := w.conn.exec(q.markAt, c.id, c.queue, p.lastDue, p.lastSeq); err != nil {
			return err
		}
	}
	return nil
}
