package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A RefusedError is why RabbitMQ, or TLS, refuses this client. It will not go
// away by itself: somebody has to do what it says.
type RefusedError struct{ err error }

func (e *RefusedError) Error() string { return e.err.Error() }
func (e *RefusedError) Unwrap() error { return e.err }

// refusal returns what to do about an error of the AMQP handshake, or nil if it
// is no refusal. The library takes any connection that is lost at certain
// points for a refusal of the credentials or of the virtual host; hungUp tells
// whether RabbitMQ has hung up as it does for wrong credentials.
func (c *Config) refusal(err error, hungUp bool) error {
	var e *amqp.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch {
	case errors.Is(err, amqp.ErrSASL):
		return fmt.Errorf("RabbitMQ at %s offers no authentication mechanism that the URL allows; auth=external needs its plugin rabbitmq_auth_mechanism_ssl", c.Host)
	case e.Code == amqp.AccessRefused && (e.Server || hungUp) && c.External:
		return fmt.Errorf("RabbitMQ at %s refuses %s; create that user, or check cert in the URL and ssl_cert_login_from of RabbitMQ (%s)", c.Host, c.who(), e.Reason)
	case e.Code == amqp.AccessRefused && (e.Server || hungUp):
		return fmt.Errorf("RabbitMQ at %s refuses %s; check user and password in the URL (%s)", c.Host, c.who(), e.Reason)
	case e.Code == amqp.NotAllowed && e.Server:
		return fmt.Errorf("RabbitMQ at %s does not let %s into virtual host %q; create the virtual host, or grant the permission (%s)",
			c.Host, c.who(), c.Vhost, e.Reason)
	}
	return nil
}

// who names the user.
func (c *Config) who() string {
	if c.External {
		return fmt.Sprintf("the user of the certificate %q", c.TLS.Certificates[0].Leaf.Subject)
	}
	return fmt.Sprintf("user %q", c.User)
}

// tlsError explains an error of TLS.
func (c *Config) tlsError(err error) error {
	silent := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
	err = fmt.Errorf("TLS with %s: %w", c.Host, err)
	switch remedy := tlsRemedy(err); {
	case remedy != "":
		return &RefusedError{fmt.Errorf("%w; %s", err, remedy)}
	case silent:
		return fmt.Errorf("%w; %s", err, c.portHint())
	}
	return err
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
		return plainRemedy(record)
	case errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Error(), "certificate"):
		return "the server refuses the client certificate; check cert= and key= in the URL"
	}
	return ""
}
