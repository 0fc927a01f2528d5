package rabbitmq

import (
	"context"
	"sync"
)

// A tail reads what is new in the stream of results, once for all who wait on
// a session. There is one while somebody waits.
type tail struct {
	session *session
	ready   chan struct{}      // closed once it reads
	stop    context.CancelFunc // nobody waits any more
	ended   chan struct{}      // closed when it reads no more
	err     error              // why; valid once ended is closed

	mu       sync.Mutex
	watchers map[string]map[*watch]struct{} // by id
}

// A watch collects the new records of one id.
type watch struct {
	tail    *tail
	id      string
	news    chan struct{} // signaled when there are records to take
	records []record      // guarded by tail.mu
}

// watch has what is published from its return on collected for id. It must be
// given to leave.
func (w *waiting) watch(ctx context.Context, s *session, stream, id string) (*watch, error) {
	w.mu.Lock()
	t := w.tail
	if t == nil || t.session != s || isClosed(t.ended) {
		t = startTail(s, stream)
		w.tail = t
	}
	watch := t.add(id)
	w.mu.Unlock()

	var err error
	select {
	case <-t.ready:
		return watch, nil
	case <-t.ended:
		err = t.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	w.leave(watch)
	return nil, err
}

// leave ends a watch, and the tail with the last one.
func (w *waiting) leave(watch *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := watch.tail
	if t.remove(watch); len(t.watchers) > 0 {
		return
	}
	t.stop()
	if w.tail == t {
		w.tail = nil
	}
}

func startTail(s *session, stream string) *tail {
	t := &tail{
		session:  s,
		ready:    make(chan struct{}),
		ended:    make(chan struct{}),
		watchers: make(map[string]map[*watch]struct{}),
	}
	var ctx context.Context
	ctx, t.stop = context.WithCancel(context.Background())
	go func() {
		defer close(t.ended)
		t.err = t.run(ctx, stream)
	}()
	return t
}

// run reads until the session is lost or ctx ends.
func (t *tail) run(ctx context.Context, stream string) error {
	r, err := readStream(ctx, t.session, stream, "next")
	if err != nil {
		return err
	}
	defer r.close()
	close(t.ready)
	for {
		rec, err := r.next(ctx)
		if err != nil {
			return err
		}
		t.pass(rec)
	}
}

// pass gives a record to those who wait for it.
func (t *tail) pass(rec record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.watchers[rec.id] {
		w.records = append(w.records, rec)
		signal(w.news)
	}
}

// take returns the records that a watch has collected since the last call.
func (t *tail) take(w *watch) []record {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := w.records
	w.records = nil
	return records
}

func (t *tail) add(id string) *watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &watch{tail: t, id: id, news: make(chan struct{}, 1)}
	if t.watchers[id] == nil {
		t.watchers[id] = make(map[*watch]struct{})
	}
	t.watchers[id][w] = struct{}{}
	return w
}

func (t *tail) remove(w *watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watchers[w.id], w)
	if len(t.watchers[w.id]) == 0 {
		delete(t.watchers, w.id)
	}
}
