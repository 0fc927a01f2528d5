package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// openAgain is the time between two tries to reach the broker.
	openAgain = time.Second

	// openPatience bounds a try.
	openPatience = 15 * time.Second

	// shutPatience is how long pages may take that are being answered at the end.
	shutPatience = 3 * time.Second
)

// A Server serves a dashboard on an address of its own, as workers and the command dtask
// do.
type Server struct {
	config   Config
	listener net.Listener
	local    bool // only this machine reaches it
	board    atomic.Pointer[Dashboard]
	trouble  atomic.Value // why there is no board yet: a string
	log      *slog.Logger
}

// Listen listens on an address, such as :8081. Without a host that is this machine alone,
// unless the configuration says who may look: then it is all addresses.
func Listen(addr string, c Config, log *slog.Logger) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil && !strings.Contains(addr, ":") {
		host, port, err = "", addr, nil
	}
	if err != nil {
		return nil, fmt.Errorf("dashboard: address %.60q: use :8081, or host:8081", addr)
	}
	guarded := c.Token != "" || c.Authorize != nil
	if host == "" && !guarded {
		host = "127.0.0.1"
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	s := &Server{config: c, listener: l, log: log}
	s.local = l.Addr().(*net.TCPAddr).IP.IsLoopback()
	if !s.local && !guarded {
		log.Warn("everybody who reaches the address of the dashboard may look; a token would keep others out", "addr", l.Addr().String())
	}
	return s, nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve serves the dashboard of the client that open returns, until ctx ends. If open
// fails, it is called again and again, and the server says why there is no page yet. Serve
// closes the client in the end.
func (s *Server) Serve(ctx context.Context, open func(context.Context) (*dtask.Client, error), tables ...dtask.Table) error {
	s.trouble.Store("the broker has not answered yet")
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	var failed error
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serving.Go(func() {
		defer cancel()
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			failed = fmt.Errorf("dashboard: %w", err)
		}
	})
	s.log.Info("serving the dashboard", "addr", s.Addr().String())
	client, err := s.open(ctx, open, tables)
	if err == nil {
		<-ctx.Done()
	}
	if board := s.board.Swap(nil); board != nil {
		board.Close()
	}
	soon, done := context.WithTimeout(context.WithoutCancel(ctx), shutPatience)
	defer done()
	if server.Shutdown(soon) != nil {
		server.Close()
	}
	serving.Wait()
	if client != nil {
		err = errors.Join(err, client.Close())
	}
	return errors.Join(failed, err)
}

// open opens the client and makes the dashboard. It returns no client if ctx ends before.
func (s *Server) open(ctx context.Context, open func(context.Context) (*dtask.Client, error), tables []dtask.Table) (*dtask.Client, error) {
	for {
		soon, cancel := context.WithTimeout(ctx, openPatience)
		client, err := open(soon)
		cancel()
		if err == nil {
			board, err := New(client, s.config, tables...)
			if err != nil {
				client.Close()
				return nil, err
			}
			s.board.Store(board)
			return client, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		s.trouble.Store(sentence(err))
		select {
		case <-time.After(openAgain):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// ServeHTTP answers a request with the dashboard.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.local && !isLocal(r.Host) {
		// A page of somebody else, in a browser here, under a name that leads here.
		http.Error(w, "the dashboard is for this machine, and answers to localhost", http.StatusMisdirectedRequest)
		return
	}
	board := s.board.Load()
	if board == nil {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no dashboard yet: "+s.trouble.Load().(string), http.StatusServiceUnavailable)
		return
	}
	board.ServeHTTP(w, r)
}

// isLocal reports whether a host is this machine by any of its own names.
func isLocal(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
