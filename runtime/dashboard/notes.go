package dashboard

import (
	"crypto/rand"
	"sync"
	"time"
)

// A note is what came of an act.
type note struct {
	Good bool
	Text string
	Who  string
	At   time.Time
}

// notes are kept for the page after an act: what they say has no place in a URL.
type notes struct {
	mu   sync.Mutex
	kept map[string]note
}

const (
	maxNotes = 500
	keepNote = 5 * time.Minute
)

// put keeps a note, and returns its name.
func (n *notes) put(t note) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, old := range n.kept {
		if len(n.kept) >= maxNotes || t.At.Sub(old.At) > keepNote {
			delete(n.kept, key)
		}
	}
	if n.kept == nil {
		n.kept = make(map[string]note)
	}
	key := rand.Text()
	n.kept[key] = t
	return key
}

// get returns a note, or nil.
func (n *notes) get(key string) *note {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.kept[key]
	if !ok {
		return nil
	}
	return &t
}
