//go:build unix

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// A fault is something that happens again and again. One that lasts is over
// when inject returns.
type fault struct {
	every  time.Duration
	inject func()
}

// inject injects the faults for a while, one at a time.
func inject(span time.Duration, faults ...fault) {
	begin := time.Now()
	next := make([]time.Duration, len(faults))
	for i, f := range faults {
		next[i] = f.every
	}
	for {
		i := 0
		for j := range faults {
			if next[j] < next[i] {
				i = j
			}
		}
		if next[i] > span {
			return
		}
		time.Sleep(next[i] - time.Since(begin))
		faults[i].inject()
		next[i] += faults[i].every
	}
}

// proxied returns a proxy of the trial's RabbitMQ, and the URL through it, for
// clients that notice silence after two seconds.
func (tr *trial) proxied() (*rabbittest.Proxy, string) {
	tr.Helper()
	proxy, through := rabbittest.ProxyURL(tr, tr.url)
	return proxy, through + "?heartbeat=1"
}

// closeAll has RabbitMQ close all connections of the trial.
func (tr *trial) closeAll() {
	tr.Helper()
	rabbittest.Eval(tr, fmt.Sprintf(`[rabbit_networking:close_connection(Conn, "chaos") || Conn <- rabbit_networking:connections(),
		[{vhost, <<%q>>}] <- [catch rabbit_networking:connection_info(Conn, [vhost])]]`, tr.vhost()))
}

// vhost returns the trial's virtual host.
func (tr *trial) vhost() string {
	tr.Helper()
	u, err := url.Parse(tr.url)
	if err != nil {
		tr.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// freeze stops the flow through the proxy for d.
func freeze(p *rabbittest.Proxy, d time.Duration) {
	p.Freeze()
	time.Sleep(d)
	p.Resume()
}

// murder kills a random worker and hires another.
func (tr *trial) murder(url string, c crew) {
	tr.Helper()
	i := rand.IntN(len(tr.workers))
	tr.workers[i].kill()
	tr.workers[i] = tr.hire(url, c)
}

// suspend stops a random worker for d, as a machine that swaps does.
func (tr *trial) suspend(d time.Duration) {
	w := tr.workers[rand.IntN(len(tr.workers))]
	w.signal(syscall.SIGSTOP)
	time.Sleep(d)
	w.signal(syscall.SIGCONT)
}

// rabbitURL returns the URL of a virtual host of the test's own: the operator
// closes the connections of one.
func rabbitURL(t *testing.T) string {
	t.Helper()
	url, _ := rabbittest.VHostURL(t)
	return url
}

// rabbit runs a test on a virtual host of the shared RabbitMQ.
func rabbit(t *testing.T, name string) *trial {
	t.Helper()
	t.Parallel()
	return newTrial(t, name+", RabbitMQ", rabbitURL(t))
}
