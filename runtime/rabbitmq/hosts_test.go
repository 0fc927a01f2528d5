package rabbitmq_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

func TestUnreachable(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	c := consume(t, b, "q", 1)
	proxy.Refuse()
	proxy.Cut()
	eventually(t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := b.Enqueue(ctx, message("other"))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, broker.ErrUnknownOutcome) || !strings.Contains(err.Error(), "no connection to RabbitMQ") {
			return "enqueue: " + errText(err)
		}
		return ""
	})
	proxy.Resume()
	m := message("q")
	enqueue(t, b, m)
	d := receive(t, c)
	if d.Message().ID != m.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func TestSilentListener(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = rabbitmq.Open(ctx, "amqp://guest:geheim@"+l.Addr().String(), broker.Config{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v, want the error of the context", err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestSilentHandshake(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	for _, scheme := range []string{"amqp", "amqps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel() // both wait for the same seconds
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			opened := make(chan struct{})
			go func() {
				defer close(opened)
				rabbitmq.Open(ctx, scheme+"://"+l.Addr().String()+"/?heartbeat=3600", broker.Config{})
			}()
			defer func() { cancel(); <-opened }()
			defer l.Close()
			l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
			for range 2 { // the second one comes when the first is given up
				c, err := l.Accept()
				if err != nil {
					t.Fatalf("the silence is not noticed: %v", err)
				}
				defer c.Close()
			}
		})
	}
}

func TestSeveralHosts(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	first, _ := rabbittest.ProxyURL(t, raw)
	second, _ := rabbittest.ProxyURL(t, raw)
	u, _ := url.Parse(raw)
	hosts := "127.0.0.1:1," + // where nothing listens
		first.Addr() + "," + second.Addr()
	b := open(t, strings.Replace(raw, u.Host, hosts, 1))
	l := startLoad(t, b, "q")
	for range 3 {
		for _, p := range []*rabbittest.Proxy{first, second} {
			l.progress(20)
			p.Refuse()
			p.Cut()
			l.progress(20)
			p.Resume()
		}
	}
	l.finish()
}

func TestPermanentErrors(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	u, err := url.Parse(rabbittest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"password", "amqp://guest:geheim@" + u.Host + u.Path, `refuses user "guest"; check user and password`},
		{"user", "amqp://nobody:geheim@" + u.Host + u.Path, `refuses user "nobody"; check user and password`},
		{"vhost", "amqp://guest:guest@" + u.Host + "/nope", `does not let user "guest" into virtual host "nope"`},
		{"tls", "amqps://guest:geheim@" + u.Host + u.Path, "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // RabbitMQ waits before it refuses
			_, err := rabbitmq.Open(testContext(t), c.url, broker.Config{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("open: %v, want %q", err, c.want)
			}
		})
	}
}
