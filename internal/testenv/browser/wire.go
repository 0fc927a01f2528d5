package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A wire speaks Chromium's DevTools protocol over two pipes: JSON with a zero byte after
// each message.
type wire struct {
	out io.WriteCloser

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	events  map[string]func(method string, params json.RawMessage) // by session
	ended   error
}

type answer struct {
	result json.RawMessage
	err    error
}

// A packet is a message in either direction.
type packet struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

func newWire(in io.Reader, out io.WriteCloser) *wire {
	w := &wire{out: out, waiting: make(map[int]chan answer), events: make(map[string]func(string, json.RawMessage))}
	go w.read(bufio.NewReader(in))
	return w
}

// call sends a command to a session, or to the browser, and reads the result.
func (w *wire) call(session, method string, params, result any) error {
	w.mu.Lock()
	if w.ended != nil {
		w.mu.Unlock()
		return fmt.Errorf("%s: %w", method, w.ended)
	}
	w.last++
	id, back := w.last, make(chan answer, 1)
	w.waiting[id] = back
	text, err := json.Marshal(packet{ID: id, Session: session, Method: method, Params: params})
	if err == nil {
		_, err = w.out.Write(append(text, 0))
	}
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	a := <-back
	if a.err != nil {
		return fmt.Errorf("%s: %w", method, a.err)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(a.result, result)
}

// listen has f called with the events of a session, one after the other.
func (w *wire) listen(session string, f func(method string, params json.RawMessage)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[session] = f
}

func (w *wire) read(in *bufio.Reader) {
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			w.end(errors.New("the browser has ended"))
			return
		}
		var raw json.RawMessage
		p := packet{Params: &raw}
		if json.Unmarshal(text[:len(text)-1], &p) != nil {
			continue // it is none of ours
		}
		w.mu.Lock()
		back, event := w.waiting[p.ID], w.events[p.Session]
		delete(w.waiting, p.ID)
		w.mu.Unlock()
		switch {
		case back != nil && p.Error != nil:
			back <- answer{err: errors.New(p.Error.Message)}
		case back != nil:
			back <- answer{result: p.Result}
		case event != nil && p.Method != "":
			event(p.Method, raw)
		}
	}
}

func (w *wire) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = err
	for _, back := range w.waiting {
		back <- answer{err: err}
	}
	w.waiting = nil
}
