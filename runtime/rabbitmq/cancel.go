package rabbitmq

import (
	"slices"
	"time"
)

// With quorum queues a message can be on its way to the channel while its
// fetcher is cancelled. RabbitMQ then returns it to the queue, which counts as
// if its worker had died. So a fetcher is cancelled when it has all that its
// prefetch allows, and nothing is acknowledged meanwhile. While messages keep
// coming that is soon so. If none come, and none are there, it is cancelled with
// open credit: that leaves the message that is enqueued in the moment in between.

const (
	// calm is how long no message has come when none is expected in the next
	// moment.
	calm = 200 * time.Millisecond

	// cancelWait is how long fetchers that must be cancelled may take to be used
	// up.
	cancelWait = 2 * time.Second
)

// cancelAll cancels all fetchers. What they have fetched stays fetched.
func (sub *subscription) cancelAll() error {
	sub.setShedding(false, time.Now())
	sub.acks.pause(true)
	defer sub.acks.pause(false)
	deadline := time.Now().Add(cancelWait)
	for {
		left, err := sub.cancel(sub.all(), calm)
		if err != nil || len(left) == 0 {
			sub.fetch()
			return err
		}
		if time.Now().After(deadline) || !sleep(sub.ctx, 5*time.Millisecond) {
			break
		}
		sub.fetch()
	}
	for _, f := range sub.all() {
		if err := sub.end(f); err != nil {
			return err
		}
	}
	sub.fetch()
	return nil
}

// cancel cancels those of the fetchers that can be cancelled without harm, and
// returns the others. Acknowledgements are paused.
func (sub *subscription) cancel(fs []*fetcher, calm time.Duration) (left []*fetcher, err error) {
	ready := make(map[*source]int)
	for _, f := range fs {
		s := f.source
		if sub.acks.unacked(f) < f.prefetch {
			if time.Since(s.arrived) < calm {
				left = append(left, f)
				continue
			}
			if _, ok := ready[s]; !ok {
				if ready[s], err = sub.ch.Ready(sub.queueOf(s)); err != nil {
					return nil, err
				}
				sub.fetch() // what has come meanwhile
			}
			if ready[s] > 0 && sub.acks.unacked(f) < f.prefetch {
				left = append(left, f)
				continue
			}
		}
		if err := sub.end(f); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// end cancels a fetcher.
func (sub *subscription) end(f *fetcher) error {
	if err := sub.ch.Cancel(f.tag); err != nil {
		return err
	}
	f.source.remove(f)
	return nil
}

// all returns the fetchers that are not cancelled.
func (sub *subscription) all() (fs []*fetcher) {
	for i := range sub.sources {
		fs = slices.Concat(fs, sub.sources[i].base, sub.sources[i].ahead)
	}
	return fs
}
