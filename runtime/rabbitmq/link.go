package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// errNoConnection is in the errors of calls for which there was no session in time.
var errNoConnection = errors.New("no connection to RabbitMQ")

// A link keeps a session open: when one ends it opens the next, on another host if
// there is one.
type link struct {
	config *config
	log    *slog.Logger
	hosts  *hosts
	dial   func(ctx context.Context, host string, timeout time.Duration) (*session, error)
	setup  func(context.Context, *session) error // prepares a new session

	// proof has a session show that its host works. It is nil where that shows by
	// itself: where messages are published.
	proof *topology

	trouble trouble
	current atomic.Pointer[session] // nil while there is none
	opened  atomic.Int64            // sessions so far
	cluster atomic.Pointer[string]  // of the newest session; nil before the first one

	starting sync.Mutex // held by start
	started  bool

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when current or err changes
	err     error         // why there is no session

	ctx    context.Context
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

func newLink(c *config, h *hosts, log *slog.Logger, role string, setup func(context.Context, *session) error) *link {
	l := &link{config: c, hosts: h, log: log.With("for", role), setup: setup, changed: make(chan struct{})}
	l.dial = func(ctx context.Context, host string, timeout time.Duration) (*session, error) {
		return dial(ctx, c, host, role, l.log, timeout)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start opens the first session. It tries until ctx ends, or until an error
// says that trying is of no use. Later calls return at once if the first one
// succeeded.
func (l *link) start(ctx context.Context) error {
	l.starting.Lock()
	defer l.starting.Unlock()
	if l.ctx.Err() != nil {
		return broker.ErrClosed
	}
	if l.started {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	for attempt := 0; ; attempt++ {
		s, err := l.connect(ctx)
		if err == nil {
			l.started = true
			l.use(s)
			l.ended.Go(func() { l.keep(s) })
			return nil
		}
		if isPermanent(err) {
			return err
		}
		if attempt == 0 && ctx.Err() == nil {
			l.log.Warn("no connection to RabbitMQ; trying again", "hosts", l.config.hosts, "err", err)
		}
		if !sleep(ctx, backoff(attempt)) {
			if l.ctx.Err() != nil {
				return broker.ErrClosed
			}
			return fmt.Errorf("%w: %w: %w", errNoConnection, ctx.Err(), err)
		}
	}
}

// connect tries every host once, as long as there is time.
func (l *link) connect(ctx context.Context) (s *session, err error) {
	hosts := l.hosts.inOrder()
	for i, host := range hosts {
		timeout := share(ctx, len(hosts)-i)
		if err != nil && (timeout <= 0 || ctx.Err() != nil) {
			break // the error would be of a host that was not tried
		}
		s, err = l.dial(ctx, host, timeout)
		if err == nil {
			if err = l.prepare(ctx, s); err == nil {
				return s, nil
			}
			s.End(err)
		}
		l.hosts.fail(host, err)
	}
	return nil, err
}

// prepare makes a new session ready for use.
func (l *link) prepare(ctx context.Context, s *session) error {
	if err := l.setup(ctx, s); err != nil || l.proof == nil {
		return err
	}
	return l.proof.declareProof(ctx, s)
}

// share returns how long the next host may take, of those that are left to be
// tried: a silent one is to leave time for the others.
func share(ctx context.Context, left int) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return connectTimeout
	}
	rest := time.Until(deadline)
	fair := max(rest/time.Duration(left), minConnectTimeout)
	return min(fair, rest, connectTimeout)
}

// keep replaces the session whenever it ends, until the link is closed.
func (l *link) keep(s *session) {
	var warned time.Time // of a permanent error
	for attempt := 0; ; attempt++ {
		since := time.Now()
		select {
		case <-l.ctx.Done():
			l.set(nil, broker.ErrClosed)
			s.End(broker.ErrClosed)
			return
		case <-s.Done():
		}
		l.set(nil, s.Err())
		l.log.Warn("connection to RabbitMQ lost; reconnecting", "host", s.host, "err", s.Err())
		stale := errors.Is(s.Err(), errStale)
		if time.Since(since) > healthy || stale {
			attempt = 0
		}
		if !stale {
			l.hosts.fail(s.host, s.Err())
		}
		for {
			pause := backoff(attempt)
			if !sleep(l.ctx, pause) {
				l.set(nil, broker.ErrClosed)
				return
			}
			next, err := l.connect(l.ctx)
			if err == nil {
				s = next
				break
			}
			l.set(nil, err)
			attempt++
			if isPermanent(err) {
				if time.Since(warned) > time.Minute {
					warned = time.Now()
					l.log.Error("RabbitMQ refuses this client; trying again", "hosts", l.config.hosts, "err", err)
				}
				if !sleep(l.ctx, permanentBackoff-pause) {
					l.set(nil, broker.ErrClosed)
					return
				}
			}
		}
		l.use(s)
		l.log.Info("connected to RabbitMQ again", "host", s.host)
	}
}

// use makes a new session the current one.
func (l *link) use(s *session) {
	l.opened.Add(1)
	cluster := s.Cluster()
	l.cluster.Store(&cluster)
	l.set(s, nil)
	if l.proof != nil {
		l.ended.Go(func() { l.proveAlways(s) })
	}
}

// set makes a session, or the reason why there is none, the state of the link.
func (l *link) set(s *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble.note(err)
	l.current.Store(s)
	l.err = err
	close(l.changed)
	l.changed = make(chan struct{})
}

// session returns the open session, and waits for one if there is none. Its
// error wraps that of ctx, or is broker.ErrClosed.
func (l *link) session(ctx context.Context) (*session, error) {
	if s := l.current.Load(); s != nil {
		return s, nil
	}
	for {
		l.mu.Lock()
		changed, err := l.changed, l.err
		s := l.current.Load()
		l.mu.Unlock()
		if s != nil {
			return s, nil
		}
		if l.ctx.Err() != nil {
			return nil, broker.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err == nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w: %w: %w", errNoConnection, ctx.Err(), err)
		}
	}
}

// next waits until s is over and returns the session after it.
func (l *link) next(ctx context.Context, s *session) (*session, error) {
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		n, err := l.session(ctx)
		if err != nil || n != s {
			return n, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("connection to RabbitMQ lost: %w: %w", ctx.Err(), s.Err())
		}
	}
}

// close ends the session, and the link.
func (l *link) close() {
	l.cancel()
	l.starting.Lock() // a start that is under way has noticed
	defer l.starting.Unlock()
	l.ended.Wait()
}
