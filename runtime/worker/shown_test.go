//go:build unix

package worker

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// However a URL gets to a wrong place, its password is not printed.
func TestPasswordsAreNotShown(t *testing.T) {
	for _, url := range []string{
		"amqp://u:SECRET@host/vhost", "amqp:u:SECRET@host", "u:SECRET@host:5672", "SECRET@host:5672", "redis://:SECRET@host",
		"foo://u:SECRETSECRETSECRETSECRETSECRETSECRETSECRET@host", "amqp://u:SEC%ZZSECRET@host", "amqp://h?password=SECRET",
		"sqlite://u:SECRET@host/x", "sqlite:x.db?password=SECRET", "host=h password=SECRET", "amqp://x/SECRET@host", "SECRET@h:x://",
	} {
		for _, args := range [][]string{
			{url},
			{"run", url},
			{"-url", url},
			{"-" + url},
			{"-queues", url, "-url", "none:x"},
			{"-queues=a," + url, "-url", "none:x"},
			{"-concurrency", url},
			{"-grace", url},
			{"-log", url},
			{"-max-memory", url},
			{"-scheduler", url},
			{"-drain=" + url},
			{"-log-level", url},
		} {
			for _, env := range []map[string]string{nil, {"DTASK_URL": url}, {"DTASK_GRACE": url}, {"DTASK_QUEUES": url}} {
				var out bytes.Buffer
				p := &program{name: "w", getenv: func(v string) string { return env[v] }, stdout: &out, stderr: &out, tables: []dtask.Table{testTable()}}
				p.status = &statusLine{out: &out}
				config, err := parseConfig("w", args, p.getenv)
				p.config = config
				if err == nil && len(config.command) > 0 {
					err = p.command(config.command)
				} else if err == nil {
					err = p.checkTables()
				}
				if err == nil {
					ctx, cancel := context.WithCancel(t.Context())
					cancel() // what can be judged without a connection
					_, err = broker.Open(ctx, config.url, broker.Config{})
				}
				p.fail(err)
				if strings.Contains(out.String(), "SECRET") {
					t.Errorf("%q with %v: %s", args, env, out.String())
				}
			}
		}
	}
}

// Names and errors that move the cursor or break lines are shown escaped.
func TestShownEscaped(t *testing.T) {
	for _, evil := range []string{"a\x1b[2Jb", "a\nb", "a\rb", "a\u009b31mb", "a\u202eb", "a\x00b"} {
		var out bytes.Buffer
		status := &statusLine{out: &out}
		status.show(evil)
		printSummary(&out, map[string]taskCounts{evil: {}}, nil)
		for _, r := range evil[1 : len(evil)-1] {
			text := strings.ReplaceAll(strings.ReplaceAll(out.String(), eraseLine, ""), "\n", "")
			if r < ' ' && strings.ContainsRune(text, r) || r > 126 && strings.ContainsRune(text, r) {
				t.Errorf("%q is shown as %q", evil, text)
			}
		}
		if printable(evil) == evil {
			t.Errorf("%q is taken for printable", evil)
		}
	}
}
