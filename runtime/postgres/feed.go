package postgres

import "time"

// deliver hands messages to the worker. There is room for them in the channel: no
// more were claimed.
func (c *consumer) deliver(ds []*delivery) {
	if len(ds) == 0 {
		return
	}
	c.fedAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Add(int64(len(ds)))
	if c.stopped.Load() {
		c.release(ds)
		return
	}
	for _, d := range ds {
		c.deliveries <- d
	}
}

// buffered takes up to n messages back out of the channel.
func (c *consumer) buffered(n int) (ds []*delivery) {
	for len(ds) < n {
		select {
		case d := <-c.deliveries:
			ds = append(ds, d.(*delivery))
		default:
			return ds
		}
	}
	return ds
}

// release gives back messages that nobody has received.
func (c *consumer) release(ds []*delivery) {
	if len(ds) == 0 {
		return
	}
	var ss []*settlement
	for _, d := range ds {
		d.settled.Store(true)
		ss = append(ss, &settlement{delivery: d, verdict: released})
	}
	c.b.settler.put(ss...)
}

// hoardTime is how long messages may wait for a worker that has become slower.
const hoardTime = 500 * time.Millisecond

// shedHoard gives back what c has fetched ahead and, at the rate at which it works
// now, should not have: another process may be free.
func (c *consumer) shedHoard(now time.Time) {
	if len(c.deliveries) == 0 || now.Sub(c.fedAt) < hoardTime {
		return
	}
	c.ahead.measure(c.settled.Load(), now)
	c.shed(c.ahead.size)
}

// shed gives back what was fetched ahead beyond n messages.
func (c *consumer) shed(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.Load() {
		c.release(c.buffered(len(c.deliveries) - n))
	}
}
