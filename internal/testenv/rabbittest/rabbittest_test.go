package rabbittest_test

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

func TestProxy(t *testing.T) {
	url := rabbittest.URL(t)
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after the proxy is closed
	proxy, url := rabbittest.ProxyURL(t, url)

	dial := func() (*amqp.Connection, chan *amqp.Error, error) {
		conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(500 * time.Millisecond)})
		if err != nil {
			return nil, nil, err
		}
		return conn, conn.NotifyClose(make(chan *amqp.Error, 1)), nil
	}
	_, closed, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if n := proxy.Conns(); n != 1 {
		t.Errorf("Conns() = %d, want 1", n)
	}
	proxy.Cut()
	if e := <-closed; e == nil {
		t.Error("the client closed in good order, want a reset")
	}

	proxy.Refuse()
	if _, _, err := dial(); err == nil {
		t.Error("dial succeeded while refused")
	}
	proxy.Freeze()
	if _, _, err := dial(); err == nil {
		t.Error("dial succeeded while frozen")
	}
	proxy.Resume()
	conn, _, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestCrashAndRestart(t *testing.T) {
	node := rabbittest.StartNode(t, rabbitnode.Options{})
	conn, err := amqp.Dial(node.URL())
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	node.Crash()
	<-closed
	if _, err := amqp.Dial(node.URL()); err == nil {
		t.Error("a crashed node serves connections")
	}
	node.Restart()
	conn, err = amqp.Dial(node.URL())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := node.Eval("1 + 1"); got != "2" {
		t.Errorf("1 + 1 yields %q, want 2", got)
	}
}

func TestEvalFails(t *testing.T) {
	if rabbitnode.Attached() == nil {
		rabbittest.URL(t) // skips, or fails
	}
	if _, err := rabbitnode.Attached().Eval(t.Context(), "no:such()"); err == nil || !strings.Contains(err.Error(), "undef") {
		t.Errorf("error %v, want that the function is undefined", err)
	}
}

// What a test leaves in its namespace goes with it.
func TestNamespaceRemoved(t *testing.T) {
	var namespace string
	t.Run("use", func(t *testing.T) {
		url := rabbittest.URL(t)
		namespace = rabbittest.Namespace(t, url)
		ch := rabbittest.Channel(t, url)
		if _, err := ch.QueueDeclare(namespace+".q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		if err := ch.ExchangeDeclare(namespace+".x", "topic", true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	})
	url := rabbittest.URL(t)
	if _, err := rabbittest.Channel(t, url).QueueDeclarePassive(namespace+".q", true, false, false, false, nil); err == nil {
		t.Error("the queue is still there")
	}
	if err := rabbittest.Channel(t, url).ExchangeDeclarePassive(namespace+".x", "topic", true, false, false, false, nil); err == nil {
		t.Error("the exchange is still there")
	}
}
