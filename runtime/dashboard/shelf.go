package dashboard

import (
	"context"
	"sync"
	"time"
)

// A shelf has looks by what was asked for, such as a selection: those of which somebody
// has asked of late.
type shelf[T any] struct {
	board *Dashboard
	every time.Duration

	mu    sync.Mutex
	looks map[string]*kept[T]
}

type kept[T any] struct {
	*look[T]
	used time.Time
}

// maxShelf is how many answers are kept.
const maxShelf = 100

// get returns the look of a key.
func (s *shelf[T]) get(key string, ask func(context.Context) (T, error)) *look[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.looks[key]
	if k == nil {
		if s.looks == nil {
			s.looks = make(map[string]*kept[T])
		}
		if len(s.looks) >= maxShelf {
			s.drop()
		}
		k = &kept[T]{look: newDearLook(s.board, s.every, ask)}
		s.looks[key] = k
	}
	k.used = time.Now()
	return k.look
}

// drop leaves out the one that was not used for the longest time.
func (s *shelf[T]) drop() {
	var oldest string
	for key, k := range s.looks {
		if oldest == "" || k.used.Before(s.looks[oldest].used) {
			oldest = key
		}
	}
	delete(s.looks, oldest)
}

// again lets all of them be asked anew.
func (s *shelf[T]) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.looks {
		k.again()
	}
}
