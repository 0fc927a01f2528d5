package rabbitmq

import "time"

// toRenew returns what has been held since before t, and is not being renewed. It
// is from then on.
func (a *acker) toRenew(t, now time.Time) (ds []*delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if e.state != held {
			continue
		}
		if !e.d.since.Before(t) {
			break // as are all that came later
		}
		if !e.d.renewing && !now.Before(e.d.again) {
			e.d.renewing = true
			ds = append(ds, e.d)
		}
	}
	return ds
}

// renewAgain notes that a delivery could not be renewed, and when to try again.
func (a *acker) renewAgain(d *delivery, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d.renewing, d.again = false, at
}

// renew has the delivery d acknowledged and its copy held in its place. If d is
// settled, or nil, the copy is acknowledged.
func (a *acker) renew(d, c *delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d != nil {
		if e := a.entry(d); e != nil && e.state == held {
			a.settleEntry(e)
			d.raw, d.since, d.renewing = c.raw, c.since, false
			a.entries = append(a.entries, entry{d, c.from, c.raw.Tag, held})
			return
		}
	}
	a.entries = append(a.entries, entry{c, c.from, c.raw.Tag, claimed})
	a.settleEntry(&a.entries[len(a.entries)-1])
}
