package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A port that is another's is told from RabbitMQ's, by what it says, or, if it
// says nothing, by its number. The error names host and port. Where what it is is
// certain, trying again is of no use.
func TestStrangers(t *testing.T) {
	const silent = "\x00"
	for name, c := range map[string]struct {
		host    string
		tls     bool
		answer  string // "" to hang up
		want    string
		refused bool
	}{
		"HTTP":            {"mq:8080", false, "HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP", true},
		"HTTP, by TLS":    {"mq:8080", true, "HTTP/1.1 400 Bad Request\r\n\r\n", "speaks HTTP", true},
		"TLS":             {"mq:5671", false, "\x15\x03\x01\x00\x02\x02\x46", "speaks TLS; use amqps://", true},
		"AMQP, by TLS":    {"mq:5672", true, "AMQP\x00\x00\x09\x01", "does not speak TLS; use amqp://", true},
		"AMQP 1.0":        {"mq:5672", false, "AMQP\x00\x01\x00\x00", "another version of AMQP", true},
		"Redis":           {"mq:6379", false, "-ERR unknown command\r\n", `"-ERR un"`, true},
		"hangs up":        {"mq:1234", false, "", "needs amqps://", false},
		"hangs up on TLS": {"mq:1234", true, "", "needs amqp://", false},
		"epmd":            {"mq:4369", false, silent, "epmd", false},
		"epmd, by TLS":    {"mq:4369", true, silent, "epmd", false},
		"between nodes":   {"mq:25672", false, "", "nodes of a cluster", false},
		"silent":          {"mq:1234", false, silent, "no answer within 5s", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer server.Close()
				go func() {
					server.Read(make([]byte, 4096))
					if c.answer == silent {
						return
					}
					io.WriteString(server, c.answer)
					server.Close()
				}()
				config := testConfig
				config.Host = c.host
				if c.tls {
					config.TLS = &tls.Config{}
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				_, err := Open(ctx, client, config)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.host) {
					t.Errorf("error %v, want %s and %q", err, c.host, c.want)
				}
				if strings.Contains(err.Error(), "Exception (") {
					t.Errorf("error %v looks like one of RabbitMQ", err)
				}
				if _, refused := errors.AsType[*RefusedError](err); refused != c.refused {
					t.Errorf("refused: %v", refused)
				}
			})
		})
	}
}
