package rabbitmq_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// Logs collect what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newLogs() *logs { return &logs{} }

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// lines returns the lines in which a text occurs.
func (l *logs) lines(text string) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// missing returns a complaint unless a line has all the texts.
func (l *logs) missing(texts ...string) string {
	for _, line := range l.lines(texts[0]) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			return ""
		}
	}
	return fmt.Sprintf("no line of the log has %q:\n%s", texts, l.lines(""))
}

// What the broker has to say goes to its logger, what a consumer has to say to
// that of the consumer, and all of it tells what it is about.
func TestLogger(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	ofBroker, ofConsumer, ofNobody := newLogs(), newLogs(), newLogs()
	before := slog.Default()
	slog.SetDefault(ofNobody.logger())
	t.Cleanup(func() { slog.SetDefault(before) })

	b, err := rabbitmq.Open(testContext(t), url, broker.Config{Logger: ofBroker.logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	own, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "own", Concurrency: 1, Logger: ofConsumer.logger()})
	if err != nil {
		t.Fatal(err)
	}
	inherited := consume(t, b, "inherited", 1)
	for _, queue := range []string{"own", "inherited"} {
		if err := b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: queue}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() string { return ofConsumer.missing("queue paused", "queue=own") })
	eventually(t, func() string { return ofBroker.missing("queue paused", "queue=inherited") })
	proxy.Cut()
	for _, role := range []string{"publishing", "consuming"} {
		eventually(t, func() string {
			return ofBroker.missing("connection to RabbitMQ lost", "for="+role, "host="+proxy.Addr())
		})
		eventually(t, func() string {
			return ofBroker.missing("connected to RabbitMQ again", "for="+role, "host="+proxy.Addr())
		})
	}
	for _, c := range []broker.Consumer{own, inherited} {
		if err := c.Close(testContext(t)); err != nil {
			t.Error(err)
		}
	}
	if stray := ofNobody.lines(""); len(stray) > 0 {
		t.Errorf("logged past the loggers: %s", stray)
	}
}

// A broker that is opened without a logger uses the default one.
func TestDefaultLogger(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	logged := newLogs()
	before := slog.Default()
	slog.SetDefault(logged.logger())
	t.Cleanup(func() { slog.SetDefault(before) })
	open(t, url)
	proxy.Cut()
	eventually(t, func() string { return logged.missing("connection to RabbitMQ lost", "host="+proxy.Addr()) })
}
