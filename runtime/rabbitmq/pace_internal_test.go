package rabbitmq

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(10, now)
	run := func(each time.Duration, n int) {
		for range n {
			now = now.Add(each)
			p.delivered++
			p.adapt(func() time.Time { return now }, false)
		}
	}
	if p.prefetch != 11 {
		t.Errorf("prefetch %d at first, want 11", p.prefetch)
	}
	run(20*time.Microsecond, 5000)
	if p.prefetch != maxPrefetch {
		t.Errorf("prefetch %d for fast tasks, want %d", p.prefetch, maxPrefetch)
	}
	for range 3 {
		now = now.Add(time.Second)
		p.delivered = 2
		p.adapt(func() time.Time { return now }, true)
	}
	if p.prefetch != 11 {
		t.Errorf("prefetch %d for slow tasks, want 11", p.prefetch)
	}
}
