package rabbitmq

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	var p pace
	p.start(10, now)
	clock := func() time.Time { return now }
	p.delivered = 10
	p.running.Store(10)
	if p.adapt(clock, true) || p.ahead != 0 {
		t.Errorf("%d are fetched ahead although no task has finished", p.ahead)
	}
	for range 100 {
		now = now.Add(60 * time.Millisecond)
		p.delivered += 9
		p.adapt(clock, false)
	}
	if p.ahead != 0 {
		t.Errorf("%d are fetched ahead of tasks that take 66ms, want 0", p.ahead)
	}
	for range 5000 {
		now = now.Add(20 * time.Microsecond)
		p.delivered++
		p.adapt(clock, false)
	}
	if p.ahead != maxAhead {
		t.Errorf("%d are fetched ahead of fast tasks, want %d", p.ahead, maxAhead)
	}
}
