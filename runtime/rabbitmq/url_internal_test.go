package rabbitmq

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	c, err := parseURL("amqp://us%2fer:p%40ss@h1,h2:5673,[::1]:5674,[::1]/v%2fh?namespace=ns&heartbeat=7")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"h1:5672", "h2:5673", "[::1]:5674", "[::1]:5672"}; !slices.Equal(c.hosts, want) {
		t.Errorf("hosts %v, want %v", c.hosts, want)
	}
	if c.user != "us/er" || c.password != "p@ss" || c.vhost != "v/h" || c.namespace != "ns" || c.heartbeat != 7*time.Second || c.tls != nil {
		t.Errorf("parsed as %+v", c)
	}
	c, err = parseURL("amqps://host")
	if err != nil {
		t.Fatal(err)
	}
	if c.hosts[0] != "host:5671" || c.user != "guest" || c.vhost != "/" || c.namespace != "dtask" || c.tls == nil {
		t.Errorf("defaults are %+v", c)
	}
}

func TestParseURLErrors(t *testing.T) {
	for raw, want := range map[string]string{
		"amqp://u:geheim@h:x/":                      "port",
		"amqp://u:geheim?x@h":                       "port",
		"amqp://u:geheim/x@h":                       "percent-encoded",
		"amqp://u:geheim%zz@h":                      "%25",
		"amqp://u:geheim@::1/":                      "write it as [::1]",
		"amqp://u:geheim@fe80::a:5672":              "write it as [::1]",
		"amqp://u:geheim@h,[::1:5672/":              "write it as [::1]",
		"amqp://u:geheim@[]:5672":                   "host is missing",
		"amqp://u:geheim@":                          "host is missing",
		"amqp://u:geheim@h,,i":                      "host is missing",
		"amqp://u:geheim@h/a/b":                     "virtual host",
		"amqp://user:2024?geheim@localhost/":        "'?' as %3f",
		"amqp://user:2024?geheim&x@localhost/":      "'?' as %3f",
		"amqp://u:a@b?geheim@h?namespace=x":         "'?' as %3f",
		"amqp:geheim":                               "use amqp://",
		"amqp://u:geheim@h?nmaespace=x":             "unknown parameter",
		"amqp://u:geheim@h?namespace=":              "namespace",
		"amqp://u:geheim@h?namespace=a.b":           "namespace",
		"amqp://u:geheim@h?namespace=amq":           "namespace",
		"amqp://u:geheim@h?heartbeat=0":             "heartbeat",
		"amqp://u:geheim@h?consumer_timeout=2":      "consumer_timeout",
		"amqp://u:geheim@h?ca=x":                    "needs TLS",
		"amqps://u:geheim@h?ca=/nonexistent":        "ca:",
		"amqps://u:geheim@h?cert=x":                 "together",
		"amqps://u:geheim@h?auth=external":          "client certificate",
		"amqp://u:geheim@h?heartbeat=1&heartbeat=2": "twice",
	} {
		_, err := parseURL(raw)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("parseURL(%q): %v, want %q and no password", raw, err, want)
		}
	}
}
