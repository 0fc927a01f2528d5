package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A Config says how to connect.
type Config struct {
	Host      string      // host:port
	TLS       *tls.Config // nil for none
	External  bool        // the user is the one of the client certificate (SASL EXTERNAL)
	User      string
	Password  string
	Vhost     string
	Heartbeat time.Duration // a connection that is silent for twice as long is lost
	MaxBody   int           // bodies that are larger are not kept when they are delivered; 0 for any
	Role      string        // tells the connections of a process apart in RabbitMQ's lists
	Log       *slog.Logger
}

// Dial connects to RabbitMQ. ctx bounds the attempt, from the name lookup to the
// end of the AMQP handshake. An error that will not go away by itself is a
// [RefusedError].
func Dial(ctx context.Context, c Config) (*Conn, error) {
	tcp, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Host, err)
	}
	return Open(ctx, tcp, c)
}

// Open connects through a network connection that is open.
func Open(ctx context.Context, network net.Conn, c Config) (*Conn, error) {
	stopCancel := context.AfterFunc(ctx, func() { network.SetDeadline(time.Unix(1, 0)) })
	defer stopCancel()
	encrypted := network
	if c.TLS != nil {
		var err error
		if encrypted, err = startTLS(ctx, network, c); err != nil {
			return nil, err
		}
	}
	t := newTransport(encrypted, 2*c.Heartbeat)
	if deadline, ok := ctx.Deadline(); ok {
		t.SetDeadline(deadline)
	}
	start := time.Now()
	library, err := amqp.Open(t, c.library())
	if err == nil && !stopCancel() {
		err = ctx.Err() // the deadline may be in the past already
	}
	if err != nil {
		t.Close()
		return nil, c.handshakeError(err, t, time.Since(start))
	}
	return newConn(library, t, c), nil
}

// library returns the configuration for the client library.
func (c *Config) library() amqp.Config {
	var sasl amqp.Authentication = &amqp.PlainAuth{Username: c.User, Password: c.Password}
	if c.External {
		sasl = &amqp.ExternalAuth{}
	}
	return amqp.Config{
		SASL:       []amqp.Authentication{sasl},
		Vhost:      c.Vhost,
		ChannelMax: maxChannels,
		FrameSize:  frameSize,
		Heartbeat:  c.Heartbeat,
		Locale:     "en_US",
		Properties: amqp.Table{
			"product":         "dtask",
			"connection_name": filepath.Base(os.Args[0]) + " " + c.Role,
		},
	}
}

// startTLS makes the TLS handshake.
func startTLS(ctx context.Context, network net.Conn, c Config) (net.Conn, error) {
	config := c.TLS.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(c.Host)
	}
	encrypted := tls.Client(network, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		network.Close()
		return nil, c.tlsError(err)
	}
	return encrypted, nil
}

// silentClose is how long RabbitMQ waits before it hangs up on a client with
// wrong credentials, against guessing. A server that hangs up for another
// reason does so at once.
const silentClose = 3 * time.Second

// handshakeError explains why RabbitMQ did not open the connection.
func (c *Config) handshakeError(err error, t *transport, took time.Duration) error {
	broken := t.readError()
	if tlsRemedy(broken) != "" { // in TLS 1.3 a refusal comes after the handshake
		return c.tlsError(broken)
	}
	first := t.firstRead()
	if s := stranger(first); s != "" {
		return &RefusedError{fmt.Errorf("the server at %s is not RabbitMQ's port for AMQP: %s", c.Host, s)}
	}
	hungUp := errors.Is(broken, io.EOF) || errors.Is(broken, syscall.ECONNRESET)
	if refused := c.refusal(err, hungUp && took > silentClose/2); refused != nil {
		return &RefusedError{refused}
	}
	return c.unexplained(err, broken, first, took)
}

// unexplained says what is known of a handshake that came to no end.
func (c *Config) unexplained(err, broken error, first string, took time.Duration) error {
	var e *amqp.Error
	switch {
	case errors.Is(broken, os.ErrDeadlineExceeded):
		err = fmt.Errorf("no answer within %v", took.Round(time.Millisecond))
	case errors.Is(broken, io.EOF):
		err = fmt.Errorf("the server closes the connection: %w", broken)
	case broken != nil:
		err = broken
	case errors.As(err, &e) && !e.Server: // the library's own
		err = errors.New(e.Reason)
	}
	err = fmt.Errorf("AMQP handshake with %s: %w", c.Host, err)
	if first == "" {
		err = fmt.Errorf("%w; %s", err, c.portHint())
	}
	return err
}
