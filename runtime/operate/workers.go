package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// ErrNoWorker: no process in the registry is meant.
var ErrNoWorker = errors.New("no such worker")

// Workers returns the processes that run tasks, sorted by host and process id: those
// that have been heard of in the last seconds.
func (o *Operator) Workers(ctx context.Context) ([]broker.Process, error) {
	registry, err := broker.As[broker.Registry](o.broker)
	if err != nil {
		return nil, err
	}
	return registry.Processes(ctx)
}

// Address returns host:pid of a process.
func Address(p broker.Process) string { return p.Host + ":" + strconv.Itoa(p.PID) }

// FindWorkers returns the processes that names mean. A name is an id, host:pid, or the
// beginning of one of them, if there is only one such process. The error wraps
// [ErrNoWorker], and names those that were perhaps meant.
func FindWorkers(ps []broker.Process, names ...string) (found []broker.Process, err error) {
	for _, name := range names {
		p, err := findWorker(ps, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(q broker.Process) bool { return q.ID == p.ID }) {
			found = append(found, p)
		}
	}
	return found, nil
}

func findWorker(ps []broker.Process, name string) (broker.Process, error) {
	var all, some []string
	var last broker.Process
	for _, p := range ps {
		address := Address(p)
		if name == p.ID || name == address {
			return p, nil
		}
		all = append(all, p.ID, address)
		if name != "" && (strings.HasPrefix(p.ID, name) || strings.HasPrefix(address, name)) {
			last, some = p, append(some, address)
		}
	}
	switch len(some) {
	case 1:
		return last, nil
	case 0:
		if near := spelling.Nearest(name, all); near != "" {
			return last, fmt.Errorf("%.100q: %w; did you mean %s?", name, ErrNoWorker, near)
		}
		return last, fmt.Errorf("%.100q: %w; there are %s", name, ErrNoWorker, listed(addresses(ps)))
	}
	return last, fmt.Errorf("%.100q is the beginning of several workers: %s; name one", name, listed(some))
}

func addresses(ps []broker.Process) (list []string) {
	for _, p := range ps {
		list = append(list, Address(p))
	}
	return list
}

// listed names some things.
func listed(names []string) string {
	const most = 5
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}

const (
	// obeyPatience is how long a process may take to obey an order.
	obeyPatience = 20 * time.Second

	// orderAgain is after how long an order is given again, which may be lost.
	orderAgain = 3 * time.Second

	// lookAgain is how often the registry is asked.
	lookAgain = 250 * time.Millisecond
)

// Command gives an order to a process, and waits until its entry in the registry says
// that it was obeyed: that a worker is quiet, say, not that its tasks have ended.
func (o *Operator) Command(ctx context.Context, p broker.Process, order broker.Order) error {
	commander, err := broker.As[broker.Commander](o.broker)
	if err != nil {
		return err
	}
	if order.Kind == broker.OrderConcurrency && !consumes(p, order.Queue) {
		return fmt.Errorf("worker %s does not consume queue %s", Address(p), order.Queue)
	}
	did := string(order.Kind)
	if order.Kind == broker.OrderConcurrency {
		did = fmt.Sprintf("concurrency %d of %s", order.Concurrency, order.Queue)
	}
	return o.actOn(ctx, did, "worker:"+Address(p), func() error { return o.command(ctx, commander, p, order) })
}

func (o *Operator) command(ctx context.Context, commander broker.Commander, p broker.Process, order broker.Order) error {
	begun := time.Now()
	for given := (time.Time{}); ; {
		if time.Since(given) > orderAgain {
			given = time.Now()
			if err := commander.Order(ctx, p.ID, order); err != nil {
				return err
			}
		}
		ps, err := o.Workers(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(ps, func(q broker.Process) bool { return q.ID == p.ID })
		switch {
		case i >= 0 && obeys(ps[i], order):
			return nil
		case i < 0 && order.Kind == broker.OrderStop:
			return nil
		case i < 0:
			return fmt.Errorf("%w: %s has ended", ErrNoWorker, Address(p))
		case time.Since(begun) > obeyPatience:
			return fmt.Errorf("worker %s has not obeyed within %v; it may be cut off from the broker, or of an older build", Address(p), obeyPatience)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Consuming returns those of the processes that consume a queue.
func Consuming(ps []broker.Process, queue string) (some []broker.Process) {
	for _, p := range ps {
		if consumes(p, queue) {
			some = append(some, p)
		}
	}
	return some
}

func consumes(p broker.Process, queue string) bool {
	return slices.ContainsFunc(p.Queues, func(q broker.ProcessQueue) bool { return q.Name == queue })
}

// obeys reports whether a process has obeyed an order.
func obeys(p broker.Process, order broker.Order) bool {
	switch order.Kind {
	case broker.OrderQuiet:
		return p.State != broker.ProcessWorking
	case broker.OrderResume:
		return p.State != broker.ProcessQuiet
	case broker.OrderStop:
		return p.State == broker.ProcessStopping
	case broker.OrderConcurrency:
		return slices.Contains(p.Queues, broker.ProcessQueue{Name: order.Queue, Concurrency: order.Concurrency})
	}
	return false
}
