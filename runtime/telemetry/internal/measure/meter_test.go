package measure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// series is a sink that knows which series there are.
type series struct {
	mu  sync.Mutex
	all map[string]bool
}

func (s *series) add(m *Metric, labels []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[string]bool)
	}
	s.all[m.Name+" "+strings.Join(labels, ",")] = true
}

func (s *series) Counter(m *Metric, labels ...string) Add {
	s.add(m, labels)
	return func(context.Context, int64) {}
}

func (s *series) Histogram(m *Metric, labels ...string) Observe {
	s.add(m, labels)
	return func(context.Context, float64, Observed) {}
}

// Whatever names producers invent, and from many goroutines at once, the series are few.
func TestSeriesAreBounded(t *testing.T) {
	s := new(series)
	m := NewMeter(s)
	handle := m.Handle(func(_ context.Context, msg *dtask.Message) dtask.Outcome {
		return dtask.Outcome{Kind: dtask.OutcomeHandedBack, Err: fmt.Errorf("no task %s", msg.Task)}
	})
	enqueue := m.Enqueue(func(_ context.Context, ms []*dtask.Message) []error {
		errs := make([]error, len(ms))
		errs[0] = errors.New("no " + ms[0].Queue)
		return errs
	})
	var both sync.WaitGroup
	for half := range 2 {
		both.Go(func() {
			for i := range 5000 {
				name := fmt.Sprintf("%d.%d", half, i)
				handle(t.Context(), &dtask.Message{Task: "task" + name, Queue: "queue" + name})
				enqueue(t.Context(), []*dtask.Message{{Queue: "one" + name}})
				enqueue(t.Context(), []*dtask.Message{{Queue: "a" + name}, {Queue: "b" + name}})
			}
		})
	}
	both.Wait()
	const queues = maxQueues + 1
	if most := 5*queues + 2*2*queues; len(s.all) > most {
		t.Errorf("%d series, want at most %d", len(s.all), most)
	}
	for name := range s.all {
		if strings.Contains(name, "task0.") || strings.Contains(name, "task1.") {
			t.Fatalf("the name of a task that this program does not have is a label: %s", name)
		}
	}
}

// What is beyond a bound has one name together, and who was first keeps its own.
func TestBounded(t *testing.T) {
	b := newBounded(2, "others")
	var got []string
	for _, name := range []string{"a", "b", "c", "", "a", "b", "d"} {
		got = append(got, b.name(name))
	}
	if want := "a b others others a b others"; strings.Join(got, " ") != want {
		t.Errorf("names %v, want %s", got, want)
	}
}
