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

// connectTimeout bounds a connection attempt, from the name lookup to the end of
// the AMQP handshake. minConnectTimeout is enough for a server that is far away,
// but not for a slow one.
const (
	connectTimeout    = 5 * time.Second
	minConnectTimeout = time.Second
)

// A session is one connection with what belongs to it. It is over with the
// connection, and nothing of it is used on another.
type session struct {
	*wire.Conn
	host      string
	pub       *publisher // of a session that publishes
	schedules *schedules // of a session that schedules

	declaring chan struct{} // a mutex whose Lock can be given up
}

func newSession(conn *wire.Conn, host string) *session {
	return &session{Conn: conn, host: host, declaring: make(chan struct{}, 1)}
}

// dial opens a session with one host within timeout. role tells the connections
// of a process apart in the lists of RabbitMQ.
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
		MaxBody:   broker.MaxBodySize,
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
