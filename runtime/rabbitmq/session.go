package rabbitmq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connectTimeout bounds a connection attempt, from the name lookup to the end
// of the AMQP handshake. minConnectTimeout is enough for one with a server that is
// far away, if not with a slow one.
const (
	connectTimeout    = 5 * time.Second
	minConnectTimeout = time.Second
)

// silentClose is how long RabbitMQ waits before it hangs up on a client with
// wrong credentials.
const silentClose = 3 * time.Second

// A session is one connection with all that belongs to it: its channels, its
// deliveries and their acknowledgements. When the connection is lost all of
// these are void, and nothing of them is used on another: an acknowledgement
// sent on a later channel would remove somebody else's message.
type session struct {
	conn   *amqp.Connection
	stream *stream
	pub    *pubChannel  // of a session that publishes
	ticks  *tickChannel // of a session that schedules

	declaring chan struct{} // a mutex whose Lock can be given up

	closed chan struct{} // closed when the connection is gone
	once   sync.Once
	err    error // why; valid once closed is
}

// dial opens a session with one host within timeout. role tells the connections of
// a process apart in the server's listings.
func dial(ctx context.Context, c *config, host, role string, timeout time.Duration) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	deadline, _ := ctx.Deadline()
	stopCancel := context.AfterFunc(ctx, func() { tcp.SetDeadline(time.Unix(1, 0)) })
	defer stopCancel()
	raw := tcp
	if c.tls != nil {
		if raw, err = startTLS(ctx, tcp, c.tls, host); err != nil {
			return nil, err
		}
	}
	st := newStream(raw, 2*c.heartbeat)
	start := time.Now()
	st.SetDeadline(deadline)
	conn, err := amqp.Open(st, amqp.Config{
		SASL:       c.sasl(),
		Vhost:      c.vhost,
		ChannelMax: maxChannels,
		FrameSize:  frameSize,
		Heartbeat:  c.heartbeat,
		Locale:     "en_US",
		Properties: amqp.Table{
			"product":         "dtask",
			"connection_name": filepath.Base(os.Args[0]) + " " + role,
		},
	})
	if err == nil && !stopCancel() {
		err = ctx.Err() // the deadline may be in the past already
	}
	if err != nil {
		st.Close()
		// The library does not ask to be told of wrong credentials: RabbitMQ
		// then hangs up, after a pause against guessing. A server that hangs up
		// for other reasons does so at once.
		broken := st.readError()
		if remedy := tlsRemedy(broken); remedy != "" { // in TLS 1.3 it comes after the handshake
			return nil, permanent(fmt.Errorf("TLS with %s: %w; %s", host, broken, remedy))
		}
		hungUp := errors.Is(broken, io.EOF) || errors.Is(broken, syscall.ECONNRESET)
		return nil, handshakeError(c, host, err, hungUp && time.Since(start) > silentClose/2)
	}
	s := &session{conn: conn, stream: st, declaring: make(chan struct{}, 1), closed: make(chan struct{})}
	ended := conn.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		s.end(fmt.Errorf("connection to %s: %w", host, reason(<-ended)))
	}()
	return s, nil
}

var errSessionClosed = errors.New("closed")

// reason returns why a connection or channel was closed. What the library
// found out by itself it dresses up as an exception of the server; here that is
// undone.
func reason(e *amqp.Error) error {
	switch {
	case e == nil:
		return errSessionClosed
	case !e.Server:
		return errors.New(e.Reason)
	}
	return e
}

// startTLS makes the TLS handshake.
func startTLS(ctx context.Context, raw net.Conn, config *tls.Config, host string) (net.Conn, error) {
	config = config.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(host)
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		err = fmt.Errorf("TLS with %s: %w", host, err)
		if remedy := tlsRemedy(err); remedy != "" {
			return nil, permanent(fmt.Errorf("%w; %s", err, remedy))
		}
		return nil, err
	}
	return c, nil
}

// tlsRemedy returns what to do about a TLS error that will not go away by
// itself, or an empty string.
func tlsRemedy(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "name the certificate of its authority with ca=FILE in the URL"
	case errors.As(err, &name):
		return "use a host name of the certificate, or give it with servername=NAME in the URL"
	case errors.As(err, &invalid):
		return "renew the server's certificate, or check the clock"
	case errors.As(err, &record):
		return "this port does not speak TLS; use amqp://, or the port of its TLS listener"
	case errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Error(), "certificate"):
		return "the server refuses the client certificate; check cert= and key= in the URL"
	}
	return ""
}

// handshakeError explains why the server did not open the connection.
func handshakeError(c *config, host string, err error, silent bool) error {
	var e *amqp.Error
	if errors.As(err, &e) {
		// The library blames the credentials or the virtual host for any
		// connection lost at that point, unless the server said otherwise.
		switch {
		case errors.Is(err, amqp.ErrSASL):
			return permanent(fmt.Errorf("RabbitMQ at %s offers no authentication mechanism that the URL allows; auth=external needs its plugin rabbitmq_auth_mechanism_ssl", host))
		case e.Code == amqp.AccessRefused && (e.Server || silent) && c.external:
			return permanent(fmt.Errorf("RabbitMQ at %s refuses %s; create that user, or check cert in the URL and ssl_cert_login_from of RabbitMQ (%s)", host, c.who(), e.Reason))
		case e.Code == amqp.AccessRefused && (e.Server || silent):
			return permanent(fmt.Errorf("RabbitMQ at %s refuses %s; check user and password in the URL (%s)", host, c.who(), e.Reason))
		case e.Code == amqp.NotAllowed && e.Server:
			return permanent(fmt.Errorf("RabbitMQ at %s does not let %s into virtual host %q; create the virtual host, or grant the permission (%s)",
				host, c.who(), c.vhost, e.Reason))
		}
	}
	return fmt.Errorf("AMQP handshake with %s: %w", host, err)
}

// end marks the session as over, for the given reason, and closes the
// connection. Only the first call has an effect.
func (s *session) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.closed)
		s.conn.CloseDeadline(time.Now().Add(closeTimeout))
	})
}

// channel opens a channel. The library does not heed contexts: the call goes
// on in the background if ctx ends first.
func (s *session) channel(ctx context.Context) (*amqp.Channel, error) {
	return within(ctx, func() (*amqp.Channel, error) { return s.conn.Channel() }, func(ch *amqp.Channel) { ch.Close() })
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
