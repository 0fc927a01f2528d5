package results

import (
	"context"
	"crypto/rand"
	"time"
)

// fences finds the end of the stream, for all who ask at the same time together: a
// fence is a record of its own, and who has read it has read all that was recorded
// before. One is on its way at a time; those who ask meanwhile share the next.
type fences struct {
	f *follower

	// Guarded by follower.mu.
	current *sharedFence
	waiting *sharedFence
}

type sharedFence struct {
	id   string
	done chan struct{}
	err  error // valid once done is closed
}

// await waits until all was read that has been recorded by now.
func (fs *fences) await(ctx context.Context) error {
	fs.f.mu.Lock()
	mine := fs.waiting
	if mine == nil {
		mine = &sharedFence{id: rand.Text(), done: make(chan struct{})}
		fs.waiting = mine
		if fs.current == nil {
			fs.next()
		}
	}
	fs.f.mu.Unlock()
	select {
	case <-mine.done:
		return mine.err
	case <-fs.f.ended:
		return fs.f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next has the fence published that others wait for, if there is one. The mutex is
// held.
func (fs *fences) next() {
	fs.current, fs.waiting = fs.waiting, nil
	if current := fs.current; current != nil {
		go func() {
			if err := fs.f.r.publish(fs.f.ctx, encode(fence, current.id, "", time.Time{}, nil)); err != nil {
				fs.f.mu.Lock()
				defer fs.f.mu.Unlock()
				fs.finish(current, err)
			}
		}()
	}
}

// passed notes that a fence was read, and reports whether it is the current one and
// not another process's. The mutex is held.
func (fs *fences) passed(id string) bool {
	if fs.current == nil || fs.current.id != id {
		return false
	}
	fs.finish(fs.current, nil)
	return true
}

// finish ends the current fence, if it is the given one. The mutex is held.
func (fs *fences) finish(fence *sharedFence, err error) {
	if fs.current != fence {
		return
	}
	fence.err = err
	close(fence.done)
	fs.next()
}
