package dashboard

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/operate"
)

// A pending is a plan that somebody looks at before it is carried out: what was counted
// then is changed, and nothing else.
type pending struct {
	plan *operate.Plan
	did  string // the name of the action
	back string // the page to go to
	at   time.Time
}

// plans are those that nobody has confirmed yet.
type plans struct {
	mu   sync.Mutex
	kept map[string]pending
}

const (
	maxPlans = 10 // each holds up to a million messages
	keepPlan = 10 * time.Minute
)

func (p *plans) put(n pending) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var oldest string
	for key, old := range p.kept {
		if n.at.Sub(old.at) > keepPlan {
			delete(p.kept, key)
		} else if oldest == "" || old.at.Before(p.kept[oldest].at) {
			oldest = key
		}
	}
	if len(p.kept) >= maxPlans {
		delete(p.kept, oldest)
	}
	if p.kept == nil {
		p.kept = make(map[string]pending)
	}
	key := rand.Text()
	p.kept[key] = n
	return key
}

// take returns a plan, which is then carried out, if that may be done.
func (p *plans) take(key string, may func(pending) bool) (pending, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.kept[key]
	if !ok || !may(n) {
		return n, ok
	}
	delete(p.kept, key)
	return n, ok
}
