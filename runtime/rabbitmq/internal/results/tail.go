package results

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A tail reads what is new in the stream of results, once for all who wait on
// a connection. There is one while somebody waits.
type tail struct {
	conn  *wire.Conn
	ready chan struct{}      // closed once it reads
	stop  context.CancelFunc // nobody waits any more
	ended chan struct{}      // closed when it reads no more
	err   error              // why; valid once ended is closed

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

// watch begins to collect the records of id that are published after it returns.
// The watch must be given to leave.
func (r *Reader) watch(ctx context.Context, conn *wire.Conn, id string) (*watch, error) {
	r.mu.Lock()
	t := r.tail
	if t == nil || t.conn != conn || isClosed(t.ended) {
		t = startTail(conn, r.stream)
		r.tail = t
	}
	watch := t.add(id)
	r.mu.Unlock()

	var err error
	select {
	case <-t.ready:
		return watch, nil
	case <-t.ended:
		err = t.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.leave(watch)
	return nil, err
}

// leave ends a watch, and the tail with the last one.
func (r *Reader) leave(watch *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := watch.tail
	if t.remove(watch); len(t.watchers) > 0 {
		return
	}
	t.stop()
	if r.tail == t {
		r.tail = nil
	}
}

// startTail begins to read what is new.
func startTail(conn *wire.Conn, stream string) *tail {
	t := &tail{
		conn:     conn,
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

// run reads until the connection is lost or ctx ends.
func (t *tail) run(ctx context.Context, stream string) error {
	records, err := read(ctx, t.conn, stream, "next")
	if err != nil {
		return err
	}
	defer records.close()
	close(t.ready)
	for {
		rec, err := records.next(ctx)
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
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

// collected returns the records that a watch has collected since the last call.
func (t *tail) collected(w *watch) []record {
	t.mu.Lock()
	defer t.mu.Unlock()
	records := w.records
	w.records = nil
	return records
}

// add adds a watch of an id.
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

// remove removes a watch.
func (t *tail) remove(w *watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.watchers[w.id], w)
	if len(t.watchers[w.id]) == 0 {
		delete(t.watchers, w.id)
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
