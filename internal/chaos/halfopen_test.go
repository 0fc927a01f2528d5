//go:build unix

package chaos

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// T10: a connection falls silent after any number of bytes from RabbitMQ, but
// stays open: in the handshake, while queues are declared, before the first
// confirm or delivery. Client and worker notice, and do their work on the next
// one.
func TestHalfOpen(t *testing.T) {
	tr := newTrial(t, "T10 half-open at every phase, RabbitMQ", rabbitURL(t))
	before := runtime.NumGoroutine()
	const connections = 2 // one to publish, one to consume
	var trials sync.WaitGroup
	sem := make(chan struct{}, 12)
	for nth := range connections {
		whole := tr.survive(fmt.Sprintf("whole%d", nth), nth, math.MaxInt64)
		step := max(1, whole/scale[int64](12, 60))
		for k := int64(0); k < whole; k += step {
			sem <- struct{}{}
			trials.Go(func() {
				defer func() { <-sem }()
				tr.survive(fmt.Sprintf("c%d_b%d", nth, k), nth, k)
			})
		}
	}
	trials.Wait()
	tr.update()
	a := tr.record.account(tr.name, nil)
	a.before, a.after = before, runtime.NumGoroutine()
	for deadline := time.Now().Add(5 * time.Second); a.after > before && time.Now().Before(deadline); a.after = runtime.NumGoroutine() {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintln(tr.Output(), a)
	tr.require(a, allowance{duplicated: a.executed}) // each may be in the silent connection
}

// survive enqueues and executes one task through several connections. The nth,
// from 0, falls silent after k bytes from RabbitMQ. It returns how many bytes that
// connection has passed on.
func (tr *trial) survive(id string, nth int, k int64) int64 {
	u, err := url.Parse(tr.url)
	if err != nil {
		tr.Error(err)
		return 0
	}
	s, err := newStall(u.Host, nth, k)
	if err != nil {
		tr.Error(err)
		return 0
	}
	defer s.close()
	u.Host = s.listener.Addr().String()
	u.RawQuery = "heartbeat=1&namespace=" + id

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client, err := dtask.Open(ctx, u.String())
	if err != nil {
		tr.Errorf("%s: %v", id, err)
		return 0
	}
	defer client.Close()
	done := make(chan struct{})
	var once sync.Once
	w, err := dtask.NewWorker(client, dtask.WorkerConfig{}, dtask.Table{
		plain.Bind(func(ctx context.Context, a args) (dtask.None, error) {
			info, _ := dtask.InfoFromContext(ctx)
			tr.ledger.note(executed, id, fmt.Sprint(time.Now().UnixMilli()-a.Due, info.Attempt))
			once.Do(func() { close(done) })
			return dtask.None{}, nil
		}),
	})
	if err != nil {
		tr.Error(err)
		return 0
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(running) }()
	if err := enqueue(dtask.NewContext(ctx, client), plain, id, 0, 0, tr.ledger); err == nil {
		select {
		case <-done:
		case <-ctx.Done():
			tr.Errorf("%s: not executed", id)
		}
	}
	stop()
	if err := <-ended; err != nil {
		tr.Errorf("%s: %v", id, err)
	}
	return s.passed.Load()
}

// A stall is a proxy that lets one of its connections fall silent, both ways,
// after a number of bytes from the server.
type stall struct {
	listener net.Listener
	nth      int
	rest     atomic.Int64 // bytes that still pass on the nth connection
	passed   atomic.Int64
	ended    chan struct{}
	running  sync.WaitGroup
}

func newStall(target string, nth int, after int64) (*stall, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &stall{listener: l, nth: nth, ended: make(chan struct{})}
	s.rest.Store(after)
	s.running.Go(func() {
		for n := 0; ; n++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			s.join(client, server, n == nth)
		}
	})
	return s, nil
}

// join moves bytes between two connections until one ends or the proxy does.
func (s *stall) join(client, server net.Conn, stalls bool) {
	ended := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(ended) }) }
	s.running.Go(func() {
		defer end()
		s.move(server, client, stalls, 0)
	})
	s.running.Go(func() {
		defer end()
		s.move(client, server, stalls, 1)
	})
	s.running.Go(func() {
		select {
		case <-ended:
		case <-s.ended:
		}
		client.Close()
		server.Close()
	})
}

// move copies from src to dst. On the connection that stalls, cost is what a
// byte takes of the number that pass.
func (s *stall) move(dst io.Writer, src io.Reader, stalls bool, cost int64) {
	buf := make([]byte, 1<<10)
	for {
		if stalls && s.rest.Load() <= 0 {
			<-s.ended
			return
		}
		n, err := src.Read(buf)
		if stalls {
			if cost > 0 {
				n = int(min(int64(n), s.rest.Load()))
			}
			s.rest.Add(-int64(n) * cost)
			s.passed.Add(int64(n) * cost)
		}
		if _, werr := dst.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

func (s *stall) close() {
	s.listener.Close()
	close(s.ended)
	s.running.Wait()
}
