package rabbitmq

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
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
		if c.vhost, err = url.PathUnescape(vhost); err != nil || strings.ContainsAny(vhost, "/@") {
			return nil, errors.New("broker URL: the virtual host is not percent-encoded, or the password is not; write '/' as %2f, '@' as %40 and '%' as %25")
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
