package postgres

import "time"

const (
	// lookAhead is how much work a consumer fetches ahead, by the rate at which it
	// has been working off: enough to keep it busy during a claim, and so little that
	// another process does not wait for what this one hoards.
	lookAhead = 20 * time.Millisecond

	// maxAhead bounds what is fetched ahead, and maxClaim what is claimed at once.
	maxAhead = 1000
	maxClaim = 500

	// rateWindow is the least time over which the rate is measured.
	rateWindow = 5 * time.Millisecond
)

// readAhead is how many messages a consumer fetches beyond its free slots.
type readAhead struct {
	size    int
	rate    float64 // messages per second, smoothed
	settled int64   // at the last measurement
	at      time.Time
}

// measure adapts the size to the number of messages settled so far.
func (r *readAhead) measure(settled int64, now time.Time) {
	past := now.Sub(r.at)
	if past < rateWindow {
		return
	}
	rate := float64(settled-r.settled) / past.Seconds()
	r.rate = (r.rate + rate) / 2
	r.settled, r.at = settled, now
	r.size = min(int(r.rate*lookAhead.Seconds()), maxAhead)
}

// room returns how many messages c may claim now. Those count whose outcomes are on
// their way: when the process is killed, they run again.
func (c *consumer) room() int {
	if c.paused || c.stopped.Load() || c.b.claimer.gate.shut() {
		return 0
	}
	return min(max(c.freeSlots()+c.ahead.size, 0), maxClaim)
}

// freeSlots returns how many messages claimed now would be started at once. It is
// negative if c has fetched ahead.
func (c *consumer) freeSlots() int { return c.concurrency - int(c.held.Load()) }

// enough returns how many messages c may hold until it is worth a claim: one if a slot
// is free, half of what is fetched ahead if none is.
func (c *consumer) enough() int64 {
	return int64(min(c.concurrency+c.ahead.size-1, c.concurrency+c.ahead.size/2))
}
