package sqlite

import "time"

// A soberClock tells the time by which results expire. A clock of the machine that is
// ahead for a moment must neither delete nor hide them, nor keep new ones for years.
type soberClock struct {
	began time.Time // by the monotonic clock
	then  time.Time // what time it was, as far as we know
}

// doubtfulGap is how far the clock of the machine may be ahead of the file when a
// process begins. If it is further ahead, the clock may be wrong, or nobody has
// consumed the file for so long; the life of a result does not go on meanwhile.
const doubtfulGap = 24 * time.Hour

// startClock returns the clock of a process that begins now. The file knows what time
// it was when a process last consumed it.
func startClock(c *conn, now time.Time) (soberClock, error) {
	clock := soberClock{began: now, then: now.Round(0)}
	ms, err := c.int("SELECT known FROM dtask_clock")
	if known := time.UnixMilli(ms); ms != 0 && clock.then.Sub(known) > doubtfulGap {
		clock.then = known
	}
	return clock, err
}

// at returns the time now: by the clock of the machine, or by what has passed since
// the process began, whichever is less.
func (c soberClock) at(now time.Time) time.Time {
	passed := c.then.Add(now.Sub(c.began))
	if wall := now.Round(0); wall.Before(passed) {
		return wall
	}
	return passed
}

// noteTime tells the file what time it is. Consumers do so with every heartbeat.
func (w *writer) noteTime(now time.Time) error {
	_, err := w.conn.exec("INSERT INTO dtask_clock (one, known) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET known = excluded.known",
		w.clock.at(now).UnixMilli())
	return err
}

// soberNow returns the time now by the sober clock.
func (w *writer) soberNow() time.Time { return w.clock.at(time.Now()) }
