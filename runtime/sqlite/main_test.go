package sqlite

import (
	"bytes"
	"database/sql/driver"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(chaosEnv); file != "" {
		os.Exit(chaosWorker(file))
	}
	if file := os.Getenv(holdEnv); file != "" {
		os.Exit(holdTask(file))
	}
	if file := os.Getenv(poisonEnv); file != "" {
		os.Exit(poisonWorker(file))
	}
	brokertest.Main(m)
}

// The suite runs in a namespace, beside another one in the same file: there each
// statement is one that was rewritten. The tests of this package, of the worker and
// of the example use the default namespace.
func TestConformance(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) string {
		file := filepath.Join(t.TempDir(), "tasks.db")
		mustEnqueue(t, openBroker(t, file), newMessages("q", 3)...)
		return "sqlite:" + file + "?namespace=shop"
	})
}

// What every test of a broker uses.
var (
	testContext = brokertest.Context
	newMessage  = brokertest.Message
)

// newFile returns the path of a database that does not exist yet.
func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "tasks.db") }

// at returns the target that the default namespace is in a file.
func at(file string) target { return target{file, defaultNamespace} }

// openBroker opens a broker for the length of the test.
func openBroker(t *testing.T, file string) *Broker {
	t.Helper()
	b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// openConn opens a connection beside the broker's.
func openConn(t *testing.T, file string) *conn {
	t.Helper()
	c, err := connect(testContext(t), at(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.close() })
	if err := c.script("PRAGMA busy_timeout = " + busyTimeout); err != nil {
		t.Fatal(err)
	}
	return c
}

func mustExec(t *testing.T, c *conn, sql string, args ...driver.Value) {
	t.Helper()
	if _, err := c.exec(sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func mustInt(t *testing.T, c *conn, sql string) int64 {
	t.Helper()
	n, err := c.int(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func newMessages(queue string, n int) []*broker.Message {
	ms := make([]*broker.Message, n)
	for i := range ms {
		ms[i] = newMessage(queue)
	}
	return ms
}

func mustEnqueue(t *testing.T, b *Broker, ms ...*broker.Message) {
	t.Helper()
	for i, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatalf("enqueue message %d: %v", i, err)
		}
	}
}

func mustConsume(t *testing.T, b *Broker, queue string, concurrency int) *consumer {
	t.Helper()
	return consumeWith(t, b, broker.ConsumeOptions{Queue: queue, Concurrency: concurrency})
}

func consumeWith(t *testing.T, b *Broker, o broker.ConsumeOptions) *consumer {
	t.Helper()
	c, err := b.Consume(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(testContext(t)) })
	return c.(*consumer)
}

func receive(t *testing.T, c *consumer) broker.Delivery {
	t.Helper()
	return brokertest.Receive(t, c)
}

// flush waits until what c has settled is durable.
func flush(t *testing.T, b *Broker) {
	t.Helper()
	if err := b.writer.do(testContext(t), func(*conn) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func queueState(t *testing.T, b *Broker, queue string) broker.QueueState {
	t.Helper()
	return brokertest.State(t, b, queue)
}

// captureLog returns what is logged from now on, until the test ends.
func captureLog(t *testing.T) (text func() string) {
	var mu sync.Mutex
	var buf bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(p)
	}), nil)))
	t.Cleanup(func() {
		slog.SetDefault(old)
		log.SetOutput(os.Stderr) // SetDefault has changed these
		log.SetFlags(log.LstdFlags)
	})
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return buf.String()
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// eventually waits until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	brokertest.Eventually(t, func() string {
		if done() {
			return ""
		}
		return "it never happens: " + what
	})
}
