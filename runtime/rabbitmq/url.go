package rabbitmq

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
)

// A config is what a URL says.
type config struct {
	hosts     []string // host:port
	user      string
	password  string
	vhost     string
	tls       *tls.Config // nil for amqp
	external  bool        // SASL EXTERNAL
	namespace string
	heartbeat time.Duration

	consumerTimeout time.Duration
}

// maxNamespace leaves room for the longest routing key, which is 255 bytes:
// the bits of a delay (56), the namespace, the class (12) and the queue (100).
const maxNamespace = 80

// parseURL parses a broker URL. Its errors show nothing of the URL but the
// names of parameters: anything else may be part of a password.
func parseURL(raw string) (*config, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "amqp" && scheme != "amqps" {
		return nil, errors.New("broker URL: use amqp://USER:PASSWORD@HOST:PORT/VHOST (amqps for TLS)")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, vhost, _ := strings.Cut(rest, "/")
	c := &config{user: "guest", password: "guest", vhost: "/", namespace: "dtask", heartbeat: 5 * time.Second, consumerTimeout: 30 * time.Minute}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		var err1, err2 error
		c.user, err1 = url.PathUnescape(user)
		c.password, err2 = url.PathUnescape(password)
		if err1 != nil || err2 != nil {
			return nil, errors.New("broker URL: user or password has a '%' that is not an escape; write it as %25")
		}
		authority = authority[i+1:]
	}
	if vhost != "" {
		var err error
		if c.vhost, err = url.PathUnescape(vhost); err != nil || strings.Contains(vhost, "/") {
			return nil, errors.New("broker URL: the virtual host is not percent-encoded; write '/' as %2f and '%' as %25")
		}
	}
	port := "5672"
	if scheme == "amqps" {
		port = "5671"
	}
	for host := range strings.SplitSeq(authority, ",") {
		addr, err := hostPort(host, port)
		if err != nil {
			return nil, err
		}
		c.hosts = append(c.hosts, addr)
	}
	return c, c.setParams(scheme, query)
}

// hostPort returns host:port of one host of a URL.
func hostPort(host, port string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.Contains(name, ":") && name != "["+bare+"]" {
		return "", errors.New("broker URL: an IPv6 address is not in brackets; write it as [::1] or [::1]:5672 (reserved characters of a password must be percent-encoded)")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("broker URL: the port is not a number from 1 to 65535 (reserved characters of a password must be percent-encoded)")
	}
	if bare == "" {
		return "", errors.New("broker URL: a host is missing; use amqp://USER:PASSWORD@HOST:PORT/VHOST")
	}
	return net.JoinHostPort(bare, port), nil
}

// setParams sets what the parameters of the URL say.
func (c *config) setParams(scheme, query string) error {
	params, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("broker URL: the parameters after '?' are not percent-encoded")
	}
	one := make(map[string]string)
	for name, values := range params {
		switch name {
		case "namespace", "heartbeat", "consumer_timeout", "ca", "cert", "key", "auth", "servername":
		default:
			if strings.Contains(query, "@") {
				return errors.New("broker URL: unknown parameter, and an '@' after the '?'; write reserved characters of user and password percent-encoded, '?' as %3f")
			}
			return fmt.Errorf("broker URL: unknown parameter %.40q; known are namespace, heartbeat, consumer_timeout, ca, cert, key, auth, servername", name)
		}
		if len(values) > 1 {
			return fmt.Errorf("broker URL: parameter %s is given twice", name)
		}
		one[name] = values[0]
	}
	if ns, ok := one["namespace"]; ok {
		if !validNamespace(ns) {
			return fmt.Errorf("broker URL: namespace: use 1 to %d letters, digits, '-' or '_', but not amq", maxNamespace)
		}
		c.namespace = ns
	}
	if h, ok := one["heartbeat"]; ok {
		n, err := strconv.Atoi(h)
		if err != nil || n < 1 || n > 3600 {
			return errors.New("broker URL: heartbeat: use a number of seconds from 1 to 3600")
		}
		c.heartbeat = time.Duration(n) * time.Second
	}
	if h, ok := one["consumer_timeout"]; ok {
		n, err := strconv.Atoi(h)
		if err != nil || n < 3 || n > 1<<30 {
			return errors.New("broker URL: consumer_timeout: use a number of seconds from 3, that of RabbitMQ")
		}
		c.consumerTimeout = time.Duration(n) * time.Second
	}
	switch one["auth"] {
	case "":
	case "external":
		c.external = true
	default:
		return errors.New("broker URL: auth: the one value known is external")
	}
	if scheme == "amqps" {
		return c.setTLS(one)
	}
	for _, name := range []string{"ca", "cert", "key", "auth", "servername"} {
		if one[name] != "" {
			return fmt.Errorf("broker URL: parameter %s needs TLS; use amqps://", name)
		}
	}
	return nil
}

// validNamespace reports whether names may begin with s. A dot ends it there: with
// one inside, the names of the namespace a.queue would be among those of a. What
// begins with amq is RabbitMQ's.
func validNamespace(s string) bool {
	_, ok := limit.Queue(s)
	return ok && len(s) <= maxNamespace && !strings.Contains(s, ".") && s != "amq"
}

// setTLS sets the TLS configuration from the files named by the parameters.
func (c *config) setTLS(params map[string]string) error {
	c.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: params["servername"]}
	if file := params["ca"]; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("broker URL: ca: %w", err)
		}
		c.tls.RootCAs = x509.NewCertPool()
		if !c.tls.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("broker URL: ca: %s holds no certificate in PEM form", file)
		}
	}
	cert, key := params["cert"], params["key"]
	if (cert == "") != (key == "") {
		return errors.New("broker URL: cert and key are given together or not at all")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("broker URL: cert and key: %w", err)
		}
		c.tls.Certificates = []tls.Certificate{pair}
	}
	if c.external && cert == "" {
		return errors.New("broker URL: auth=external needs the client certificate: cert and key")
	}
	return nil
}
