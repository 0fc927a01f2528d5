package rabbitmq

import (
	"slices"
	"time"
)

// A worker fetches ahead only what it expects to run at once. Where it is
// mistaken, for a task takes long or the tasks of another class have taken the
// slots, what waits goes back to its queue, so that an idle worker can run it. It
// is published anew, for a negative acknowledgement counts as an attempt.

const (
	// maxWait is how long a message waits for a slot before it goes back.
	maxWait = 250 * time.Millisecond

	// lookInterval is how often a subscription looks for what waits.
	lookInterval = 50 * time.Millisecond

	// staysFor is how long a message that went back stays where it is fetched next,
	// or it would wander.
	staysFor = 5 * time.Second

	// idleAhead is after how long without a message nothing is fetched ahead.
	idleAhead = time.Minute

	// stillness is how long a consumer with free slots hears nothing before it
	// asks whether there is something to hear.
	stillness = 10 * time.Second
)

// look hands back what waits in vain, and reports whether it is to be called
// again. It is called every lookInterval while there is a reason.
func (sub *subscription) look(now time.Time) (again bool, err error) {
	if !sub.active {
		return false, nil
	}
	if sub.growing == nil {
		if err := sub.shed(now); err != nil {
			return false, err
		}
		sub.grow()
	}
	return sub.consumer.pace.running.Load() > 0 || sub.waiting() || sub.closed(), nil
}

// waiting reports whether a message waits to be delivered.
func (sub *subscription) waiting() bool {
	return slices.ContainsFunc(sub.sources[:], func(s source) bool { return len(s.fetched) > 0 })
}

// closed reports whether a source has no fetcher.
func (sub *subscription) closed() bool {
	return slices.ContainsFunc(sub.sources[:], func(s source) bool { return s.class != classQuarantine && len(s.base)+len(s.ahead) == 0 })
}

// shed hands back what has waited for maxWait and will go on to wait, if there is
// another worker. First the fetchers that it came from are cancelled, or it would
// come again.
func (sub *subscription) shed(now time.Time) error {
	c := sub.consumer
	if c.picks != sub.picksSeen {
		sub.picksSeen, sub.moved = c.picks, now
	}
	var fs []*fetcher
	surplus := make(map[*source][]*delivery)
	for i := range sub.sources {
		s := &sub.sources[i]
		ds := c.surplus(s, now, now.Sub(sub.moved) < maxWait)
		if len(ds) == 0 {
			continue
		}
		lonely, err := sub.lonely(s)
		if err != nil {
			return err
		}
		if lonely {
			continue
		}
		surplus[s] = ds
		fs = append(fs, s.ahead...)
		for _, f := range s.base {
			if slices.ContainsFunc(ds, func(d *delivery) bool { return d.from == f }) {
				fs = append(fs, f)
			}
		}
	}
	sub.setShedding(len(surplus) > 0, now)
	if !sub.shedding {
		return nil
	}
	quiet := calm
	if now.Sub(sub.shedSince) >= calm {
		quiet = 0 // no longer: what waits has waited for long
	}
	left, err := sub.cancel(fs, quiet)
	if err != nil || len(left) > 0 && quiet > 0 {
		return err
	}
	n := 0
	for s, ds := range surplus {
		n += len(ds)
		s.fetched = slices.DeleteFunc(s.fetched, func(d *delivery) bool { return slices.Contains(ds, d) })
		for _, d := range ds {
			c.shed[d.message.ID] = now
			d.sub.giveBack(d)
		}
	}
	c.log.Debug("messages that wait for a slot go back to the queue; another worker may be idle", "messages", n)
	c.pace.ahead = 0
	sub.setShedding(false, now)
	return nil
}

// setShedding begins to hand back, or ends it. Nothing is acknowledged in between.
func (sub *subscription) setShedding(on bool, now time.Time) {
	if on != sub.shedding {
		sub.shedding, sub.shedSince = on, now
		sub.acks.pause(on)
	}
}

// surplus returns what of a source waits in vain. If slots become free, the
// next message does not.
func (c *consumer) surplus(s *source, now time.Time, moving bool) (ds []*delivery) {
	if len(s.fetched) == 0 || now.Sub(s.fetched[0].since) < maxWait {
		return nil
	}
	for id, at := range c.shed {
		if now.Sub(at) > staysFor {
			delete(c.shed, id)
		}
	}
	waiting := s.fetched
	if moving {
		waiting = waiting[1:]
	}
	for _, d := range waiting {
		if _, rests := c.shed[d.message.ID]; !rests {
			ds = append(ds, d)
		}
	}
	return ds
}

// lonely reports whether nobody else consumes the queue of a source.
func (sub *subscription) lonely(s *source) (bool, error) {
	_, consumers, err := sub.ch.Length(sub.queueOf(s))
	return consumers <= len(s.base)+len(s.ahead), err
}

// calmDown ends the fetchers ahead that have had nothing to do for long, and
// reports whether RabbitMQ sends nothing although it could.
func (sub *subscription) calmDown(now time.Time) (stuck bool, err error) {
	if !sub.active || sub.growing != nil || sub.shedding {
		return false, nil
	}
	var idle []*fetcher
	for i := range sub.sources {
		s := &sub.sources[i]
		if now.Sub(s.arrived) > idleAhead {
			idle = append(idle, s.ahead...)
		}
		if len(s.base) == 0 || now.Sub(s.arrived) < stillness || now.Sub(sub.asked) < stillness || sub.consumer.pace.free() <= 0 || len(s.fetched) > 0 {
			continue
		}
		ready, err := sub.ch.Ready(sub.queueOf(s))
		if err != nil {
			return false, err
		}
		open := slices.ContainsFunc(s.base, func(f *fetcher) bool { return sub.acks.unacked(f) < f.prefetch })
		if ready == 0 || !open {
			s.silent = 0
			continue
		}
		s.silent++
		stuck = stuck || s.silent > 3
	}
	if now.Sub(sub.asked) >= stillness && !slices.ContainsFunc(sub.sources[:], func(s source) bool { return s.silent > 0 }) {
		sub.asked = now
	}
	if len(idle) == 0 {
		return stuck, nil
	}
	sub.consumer.pace.ahead = 0
	sub.acks.pause(true)
	defer sub.acks.pause(false)
	_, err = sub.cancel(idle, calm)
	return stuck, err
}
