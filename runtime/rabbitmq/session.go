package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// connectTimeout bounds a connection attempt, from the name lookup to the end
// of the AMQP handshake. minConnectTimeout is enough for one with a server that is
// far away, if not with a slow one.
const (
	connectTimeout    = 5 * time.Second
	minConnectTimeout = time.Second
)

// A session is one connection with what belongs to it. It is over with the
// connection, and nothing of it is used on another.
type session struct {
	*wire.Conn
	host  string
	pub   *pubChannel  // of a session that publishes
	ticks *tickChannel // of a session that schedules

	declaring chan struct{} // a mutex whose Lock can be given up
}

func newSession(conn *wire.Conn, host string) *session {
	return &session{Conn: conn, host: host, declaring: make(chan struct{}, 1)}
}

// dial opens a session with one host within timeout. role tells the connections of
// a process apart in the server's listings.
func dial(ctx context.Context, c *config, host, role string, log *slog.Logger, timeout time.Duration) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := wire.Dial(ctx, wire.Config{
		Host:      host,
		TLS:       c.tls,
		External:  c.external,
		User:      c.user,
		Password:  c.password,
		Vhost:     c.vhost,
		Heartbeat: c.heartbeat,
		Role:      role,
		Log:       log.With("host", host),
	})
	if err != nil {
		if _, refused := errors.AsType[*wire.RefusedError](err); refused {
			err = permanent(err)
		}
		return nil, err
	}
	return newSession(conn, host), nil
}

// awaitAccepting waits while the server accepts no messages.
func (s *session) awaitAccepting(ctx context.Context) error {
	for {
		accepting := s.Blocked()
		if accepting == nil {
			return nil
		}
		select {
		case <-accepting:
		case <-s.Done():
			return s.Err()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", broker.ErrBlocked, ctx.Err())
		}
	}
}

// within returns the result of f, or the error of ctx if that ends first. A
// result that comes too late goes to discard.
func within[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil && discard != nil {
				discard(r.v)
			}
		}()
		var zero T
		return zero, ctx.Err()
	}
}

// A permanentError will not go away by itself.
type permanentError struct{ err error }

func permanent(err error) error { return &permanentError{err} }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	var e *permanentError
	return errors.As(err, &e)
}
