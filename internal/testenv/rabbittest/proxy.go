package rabbittest

import (
	"net"
	"net/url"
	"sync"
	"testing"
)

// A Proxy stands between a client and a server and disturbs the connections
// that go through it.
type Proxy struct {
	t        testing.TB
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	frozen  bool
	refused bool
	closed  bool
	count   int
	conns   map[net.Conn]struct{}
}

// NewProxy returns a proxy of the server at target (host:port). It ends with
// the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{t: t, target: target, listener: l, conns: make(map[net.Conn]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// ProxyURL returns a proxy of the server of an AMQP URL, and the URL through
// it.
func ProxyURL(t testing.TB, raw string) (*Proxy, string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p := NewProxy(t, u.Host)
	u.Host = p.Addr()
	return p, u.String()
}

// Addr returns the address of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets all connections. New ones work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // close with RST
		}
		c.Close()
	}
	clear(p.conns)
	p.changed.Broadcast()
}

// Freeze stops the flow of bytes in all connections, present and future, but
// leaves them open: what a network partition looks like.
func (p *Proxy) Freeze() { p.set(&p.frozen, true) }

// Refuse has new connections reset at once.
func (p *Proxy) Refuse() { p.set(&p.refused, true) }

// Resume ends Freeze and Refuse. What was held back flows on.
func (p *Proxy) Resume() { p.set(&p.frozen, false); p.set(&p.refused, false) }

func (p *Proxy) set(flag *bool, v bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*flag = v
	p.changed.Broadcast()
}

// Accepted returns how many connections were made since the last Forget.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Forget sets the count of Accepted to 0.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count = 0
}

// Conns returns how many connections clients hold open.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	refused := p.refused
	p.count++
	p.mu.Unlock()
	if refused {
		client.(*net.TCPConn).SetLinger(0)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)

	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	p.copy(client, server)
	both.Wait()
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// copy moves bytes from src to dst, except while the proxy is frozen. The end
// of one direction is the end of the connection.
func (p *Proxy) copy(dst, src net.Conn) {
	defer dst.Close()
	defer src.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		p.thaw(src)
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// thaw waits while the proxy is frozen and c was not cut.
func (p *Proxy) thaw(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.frozen {
		if _, open := p.conns[c]; !open {
			return
		}
		p.changed.Wait()
	}
}
