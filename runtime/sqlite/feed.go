package sqlite

import (
	"slices"
	"time"
)

// deliver hands the batch to the worker. There is room for it in the channel:
// no more was claimed.
func (c *consumer) deliver() {
	if len(c.batch) == 0 {
		return
	}
	c.fedAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Add(int64(len(c.batch)))
	if c.stopped.Load() {
		c.release(slices.Clone(c.batch))
	} else {
		for _, d := range c.batch {
			c.deliveries <- d
		}
	}
	clear(c.batch)
	c.batch = c.batch[:0]
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
	c.held.Add(-int64(len(ds)))
	c.writer.put(func(in *inbox) {
		for _, d := range ds {
			in.settlements = append(in.settlements, settlement{delivery: d, verdict: released})
		}
	})
}

// hoardTime is how long messages may wait for a worker that has become slower.
const hoardTime = 500 * time.Millisecond

// shedHoard gives back what c has fetched ahead and, at the rate at which it
// works now, should not have: another process may be free.
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
