package worker

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// A notifier tells systemd about the process, by the protocol of sd_notify(3):
// datagrams to the socket that NOTIFY_SOCKET names. The nil notifier tells
// nobody.
type notifier struct {
	conn     net.Conn
	watchdog time.Duration // how often systemd wants to hear WATCHDOG=1; 0: never
	ready    bool          // READY=1 was sent
	busy     bool          // between reloading and reloaded
	status   string
}

// newNotifier returns the notifier that the environment asks for, or nil.
func newNotifier(getenv func(string) string) (*notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.Dial("unixgram", path) // a leading @ is an abstract socket
	if err != nil {
		return nil, fmt.Errorf("socket NOTIFY_SOCKET of systemd: %w", err)
	}
	n := &notifier{conn: conn}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n, nil
}

// publish tells systemd what a report says: that the process is ready, the
// first time it is; that it is alive; how it is.
func (n *notifier) publish(r report) {
	if n == nil {
		return
	}
	var lines []string
	if r.Ready && !n.ready && !n.busy {
		n.ready = true
		lines = append(lines, "READY=1")
	}
	if r.Live && n.watchdog > 0 {
		lines = append(lines, "WATCHDOG=1")
	}
	status := fmt.Sprintf("STATUS=%d running, %d done, %d retried, %d dead", r.Stats.Running, r.Stats.Done, r.Stats.Retried, r.Stats.Dead)
	if r.Problem != "" {
		status = "STATUS=" + strings.ReplaceAll(r.Problem, "\n", " ")
	}
	if status != n.status {
		n.status = status
		lines = append(lines, status)
	}
	n.send(lines...)
}

// send sends one datagram. It ignores errors: there is nobody to report them to.
func (n *notifier) send(lines ...string) {
	if n != nil && len(lines) > 0 {
		_, _ = n.conn.Write([]byte(strings.Join(lines, "\n")))
	}
}

// reloading tells systemd that new processes replace the old ones.
func (n *notifier) reloading() {
	if n != nil {
		n.ready = false
		n.busy = true
		n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
	}
}

// reloaded ends what reloading began: the next ready report says READY=1.
func (n *notifier) reloaded() {
	if n != nil {
		n.busy = false
	}
}

// stoppingAfter tells systemd that the process stops, as soon as ctx ends.
func (n *notifier) stoppingAfter(ctx context.Context) {
	context.AfterFunc(ctx, func() { n.send("STOPPING=1") })
}

func (n *notifier) close() {
	if n != nil {
		n.conn.Close()
	}
}
