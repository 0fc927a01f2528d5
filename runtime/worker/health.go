package worker

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// healthStale is the age at which a report no longer counts: the process that
// should renew it hangs.
const healthStale = 15 * time.Second

// A healthServer answers probes over HTTP from the last report:
//
//	/livez       200, or 503 if the process is to be restarted
//	/readyz      200 while the broker answers and all queues are consumed, or 503
//	/debug/vars  the report as JSON
//
// and what extensions have to say.
//
// The nil healthServer answers nobody.
type healthServer struct {
	server  *http.Server
	started time.Time
	done    chan struct{}

	mu   sync.Mutex
	last report
	at   time.Time
}

// newHealthServer listens on addr, unless that is empty.
func newHealthServer(addr string, log *slog.Logger, others *extended) (*healthServer, error) {
	if addr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("health probes: %w", err)
	}
	now := time.Now()
	h := &healthServer{started: now, done: make(chan struct{}), last: report{Live: true, Problem: "starting"}, at: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		r := h.report()
		answer(w, r.Live, r)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		r := h.report()
		answer(w, r.Ready, r)
	})
	mux.HandleFunc("GET /debug/vars", h.vars)
	also := others.serves(mux)
	h.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() {
		defer close(h.done)
		if err := h.server.Serve(listener); err != http.ErrServerClosed {
			log.Error("health probes are no longer answered", "err", err)
		}
	}()
	said := []any{"addr", listener.Addr().String()}
	if also != "" {
		said = append(said, "also", also)
	}
	log.Info("answering health probes", said...)
	return h, nil
}

func answer(w http.ResponseWriter, ok bool, r report) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, printable(r.Problem))
	} else {
		fmt.Fprintln(w, "ok")
	}
	for _, q := range slices.Sorted(maps.Keys(r.Orphaned)) {
		fmt.Fprintf(w, "queue %s has %d messages and no consumer\n", printable(q), r.Orphaned[q])
	}
}

// vars answers with the report and what the server knows.
func (h *healthServer) vars(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "\t")
	r := h.report()
	r.Extensions = nil    // they have answers of their own
	_ = e.Encode(struct { // fails only if the client has gone
		Uptime float64 `json:"uptime_seconds"`
		report
	}{time.Since(h.started).Seconds(), r})
}

// report returns the last report. One that is too old says so, and is not live.
func (h *healthServer) report() report {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.last
	if age := time.Since(h.at); age > healthStale {
		r.Live, r.Ready = false, false
		r.Problem = fmt.Sprintf("the process has not reported on itself for %v", age.Round(time.Second))
	}
	return r
}

func (h *healthServer) publish(r report) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.at = r, time.Now()
}

func (h *healthServer) close() {
	if h == nil {
		return
	}
	h.server.Close()
	<-h.done
}
