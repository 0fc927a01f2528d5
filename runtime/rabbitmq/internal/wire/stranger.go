package wire

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// stranger returns what a server is that does not speak AMQP 0-9-1, by the first
// bytes it has sent, or an empty string if that cannot be told.
func stranger(first string) string {
	switch {
	case first == "" || first[0] == frameMethod:
		return ""
	case strings.HasPrefix(first, "HTTP/") || strings.HasPrefix(first, "<"):
		return "it speaks HTTP, as the management interface does; the port for AMQP is 5672 by default, for TLS 5671"
	case strings.HasPrefix(first, "\x15\x03") || strings.HasPrefix(first, "\x16\x03"):
		return "it speaks TLS; use amqps://, or the port without TLS"
	case strings.HasPrefix(first, "AMQP"):
		return fmt.Sprintf("it speaks another version of AMQP, as it says with %q; dtask needs 0-9-1", first)
	}
	return fmt.Sprintf("it begins with %q; check host and port of the URL", first)
}

// plainRemedy returns what to do about a server that does not speak TLS.
func plainRemedy(e tls.RecordHeaderError) string {
	first := string(e.RecordHeader[:])
	if s := stranger(first); s != "" && !strings.HasPrefix(first, "AMQP") {
		return s
	}
	return "this port does not speak TLS; use amqp://, or the port of its TLS listener"
}

// What listens on the well-known ports of a machine with RabbitMQ.
var listeners = map[string]string{
	"4369":  "epmd, where nodes look for each other",
	"25672": "what the nodes of a cluster talk to each other by",
	"15672": "the management interface",
	"15671": "the management interface",
	"15692": "the metrics for Prometheus",
	"5552":  "the stream protocol",
	"5551":  "the stream protocol",
	"1883":  "MQTT",
	"8883":  "MQTT",
	"61613": "STOMP",
	"61614": "STOMP",
}

// portHint returns what a server may be that says nothing at all.
func (c *Config) portHint() string {
	_, port, _ := net.SplitHostPort(c.Host)
	switch what := listeners[port]; {
	case what != "":
		return fmt.Sprintf("port %s is usually %s; AMQP has port 5672, with TLS 5671", port, what)
	case c.TLS == nil:
		return "if this goes on, the port may be one for TLS, which needs amqps://, or not RabbitMQ's"
	}
	return "if this goes on, the port may be one without TLS, which needs amqp://, or not RabbitMQ's"
}
