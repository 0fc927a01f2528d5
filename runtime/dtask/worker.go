package dtask

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
)

// A Worker runs the tasks of its tables. Make one with [NewWorker].
type Worker struct {
	client  *Client
	tasks   dispatch
	short   map[string]string // the names of the tasks, as people read them
	modules []string          // of the tasks
	queues  map[string]int
	config  WorkerConfig
	log     *slog.Logger
	now     func() time.Time
	handle  HandleFunc // the chain of middleware around attempt

	observe func(inside.Settled) // is told what becomes of each delivery; nil: nobody

	mu        sync.Mutex
	slots     map[*slot]struct{}
	lanes     map[string]*lane // by queue
	consumers []broker.Consumer
	occupied  sync.WaitGroup // slots that have not ended
	stopping  bool           // nothing new begins

	changing sync.Mutex // lanes are changed one at a time

	unknown once      // foreign messages, by task and schema
	snoozed sync.Once // a warning

	ready chan struct{} // closed once all queues are consumed
	abort chan struct{} // closed by Abort
	once  sync.Once     // closes abort

	stats struct {
		done, retried, dead, snoozed, handedBack, cancelled, givenUp atomic.Int64
	}
}

// NewWorker returns a worker that runs the tasks of the tables on the broker
// of c. It is an error if two tables bind the same task, or if there is
// nothing to consume.
func NewWorker(c *Client, config WorkerConfig, tables ...Table) (*Worker, error) {
	if c == nil {
		return nil, errNilClient
	}
	tasks, err := merge(tables)
	if err != nil {
		return nil, err
	}
	config.Concurrency = cmp.Or(config.Concurrency, 10)
	config.Grace = cmp.Or(config.Grace, 30*time.Second)
	config.KeepUnknown = cmp.Or(config.KeepUnknown, time.Hour)
	w := &Worker{
		client:  c,
		tasks:   tasks,
		short:   shortNames(tables),
		modules: tasks.modules(),
		queues:  make(map[string]int),
		config:  config,
		log:     safelog.New(cmp.Or(config.Logger, c.Logger())),
		now:     c.now,
		slots:   make(map[*slot]struct{}),
		lanes:   make(map[string]*lane),
		ready:   make(chan struct{}),
		abort:   make(chan struct{}),
	}
	w.handle = w.attempt
	for i, mw := range slices.Backward(config.Middleware) {
		if mw == nil {
			return nil, fmt.Errorf("middleware %d of the worker is nil", i)
		}
		if w.handle = mw(w.handle); w.handle == nil {
			return nil, fmt.Errorf("middleware %d of the worker returned nil; return a function that calls next", i)
		}
	}
	w.handle = w.logged(w.handle)
	for q, n := range config.Queues {
		w.queues[q] = cmp.Or(n, config.Concurrency)
	}
	if config.Queues == nil {
		for _, t := range tables {
			for _, q := range t.Queues() {
				w.queues[q] = config.Concurrency
			}
		}
	}
	if len(w.queues) == 0 {
		return nil, errors.New("worker has no queue to consume; pass the generated Tasks(…) of a package, or name the queues")
	}
	for q, n := range w.queues {
		if err := broker.ValidateQueue(q); err != nil {
			return nil, err
		}
		if n < 1 {
			return nil, fmt.Errorf("concurrency %d of queue %q: use 1 or more", n, q)
		}
	}
	return w, nil
}

// Ready returns a channel. It is closed when [Worker.Run] consumes all queues.
func (w *Worker) Ready() <-chan struct{} { return w.ready }

// Abort stops a worker that is stopping already, and takes too long: call it at a
// second signal, when the context of [Worker.Run] has ended. Run then cancels the
// contexts of the running tasks, waits half a second, and hands back the tasks that
// go on. More calls have no effect.
func (w *Worker) Abort() { w.once.Do(func() { close(w.abort) }) }
