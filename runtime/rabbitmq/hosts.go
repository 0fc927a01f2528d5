package rabbitmq

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// errUseless ends a session whose host does not do its work.
var errUseless = errors.New("accepts connections, but does not do its work")

// isUseless reports whether a session has ended because its host, though it can be
// connected to, does not do its work.
func isUseless(err error) bool {
	return errors.Is(err, errUseless) || errors.Is(err, wire.ErrNoAnswer) || isCode(err, amqp.InternalError)
}

const (
	// distrust is how long a host is doubtful after it has failed. It doubles with
	// every failure until the host works again.
	distrust    = 2 * time.Minute
	maxDistrust = 10 * time.Minute
)

// hosts are the hosts of a URL, in the order in which they are tried. One that
// cannot be connected to, or does not do its work, is tried last from then on. All
// links of a broker learn it together.
type hosts struct {
	mu     sync.Mutex
	order  []string
	failed map[string]*failure // those that have not worked since
}

// A failure is what is known of a host that has failed.
type failure struct {
	err      error // the last one
	until    time.Time
	distrust time.Duration // how long it was doubtful at last
}

// newHosts returns hosts in a random order: the load of many clients is spread.
func newHosts(all []string) *hosts {
	h := &hosts{order: slices.Clone(all), failed: make(map[string]*failure)}
	rand.Shuffle(len(h.order), func(i, j int) { h.order[i], h.order[j] = h.order[j], h.order[i] })
	return h
}

// inOrder returns the hosts, the one to be tried first at the beginning.
func (h *hosts) inOrder() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.order)
}

// fail notes that a host has failed.
func (h *hosts) fail(host string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.order, host); i >= 0 {
		h.order = append(slices.Delete(h.order, i, i+1), host)
	}
	f := h.failed[host]
	if f == nil {
		f = &failure{distrust: distrust / 2}
		h.failed[host] = f
	}
	f.distrust = min(2*f.distrust, maxDistrust)
	f.err, f.until = err, time.Now().Add(f.distrust)
}

// works notes that a host does its work.
func (h *hosts) works(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failed, host)
}

// doubtful reports whether a host has failed of late.
func (h *hosts) doubtful(host string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.failed[host]
	return f != nil && time.Now().Before(f.until)
}

// useless returns why a host did not do its work, or nil if it has done some since.
func (h *hosts) useless(host string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.failed[host]; f != nil && isUseless(f.err) {
		return f.err
	}
	return nil
}

// better reports whether there is another host, which has not failed of late.
func (h *hosts) better(than string) bool {
	return slices.ContainsFunc(h.inOrder(), func(host string) bool { return host != than && !h.doubtful(host) })
}
