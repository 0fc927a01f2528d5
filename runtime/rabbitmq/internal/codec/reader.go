package codec

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A HeaderReader reads headers, and keeps the first error.
type HeaderReader struct{ Err error }

// Text reads a string.
func (r *HeaderReader) Text(name string, v wire.Value, text *string) {
	s, ok := v.Text()
	if !ok {
		r.fail("header %s is a %s, want a string", name, v.Kind())
		return
	}
	*text = s
}

// count reads an integer of at least low.
func (r *HeaderReader) count(name string, v wire.Value, count *int, low int) {
	n, ok := r.Int(name, v)
	if !ok {
		return
	}
	if n < int64(low) || n > math.MaxInt32 {
		r.fail("header %s is %d, want %d to %d", name, n, low, math.MaxInt32)
		return
	}
	*count = int(n)
}

// Time reads a time in Unix milliseconds.
func (r *HeaderReader) Time(name string, v wire.Value, t *time.Time) {
	n, ok := r.Int(name, v)
	if !ok {
		return
	}
	if n < -lastMilli || n > lastMilli {
		r.fail("header %s is %d, want Unix milliseconds", name, n)
		return
	}
	*t = time.UnixMilli(n)
}

// Int reads an integer.
func (r *HeaderReader) Int(name string, v wire.Value) (int64, bool) {
	n, ok := v.Int()
	if !ok {
		r.fail("header %s is a %s, want an integer", name, v.Kind())
	}
	return n, ok
}

// failures reads the history of a message.
func (r *HeaderReader) failures(name string, v wire.Value, fs *[]broker.Failure) {
	var text string
	if r.Text(name, v, &text); text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), fs); err != nil {
		*fs = nil
		r.fail("header %s: %v", name, err)
	}
}

// fail keeps an error, unless there is one.
func (r *HeaderReader) fail(format string, args ...any) {
	if r.Err == nil {
		r.Err = fmt.Errorf(format, args...)
	}
}
