package rabbitmq

import (
	"errors"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// offline returns a channel of which nobody reads what it sends.
func offline(t testing.TB) *channel {
	client, server := net.Pipe()
	go func() {
		buf := make([]byte, 1<<10)
		for {
			if _, err := server.Read(buf); err != nil {
				return
			}
		}
	}()
	st := newStream(client, time.Minute)
	t.Cleanup(func() { st.Close() })
	s := &session{conn: &amqp.Connection{}, stream: st, closed: make(chan struct{})}
	ch := newChannel(s)
	if err := st.add(ch, 7); err != nil {
		t.Fatal(err)
	}
	return ch
}

func publish(t *testing.T, ch *channel, id string) *confirmation {
	t.Helper()
	c, err := ch.publish("", "q", &frame.Properties{MessageID: id}, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// arguments returns those of a confirm.
func arguments(tag byte, multiple byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, tag, multiple} }

// Confirms come in any order, alone or for all up to one; a message that was
// returned is unroutable although it is confirmed.
func TestConfirms(t *testing.T) {
	ch := offline(t)
	var cs []*confirmation
	for range 6 {
		cs = append(cs, publish(t, ch, string(rune('a'+len(cs)))))
	}
	returned := frame.AppendShort(frame.AppendShort(frame.AppendShort([]byte{1, 56}, "NO_ROUTE"), ""), "q")
	for _, step := range []func() error{
		func() error { return ch.method(frame.BasicAck, arguments(2, 0)) },
		func() error { return ch.method(frame.BasicReturn, returned) },
		func() error {
			return ch.properties(string(frame.AppendContent(nil, 0, &frame.Properties{MessageID: "c"})))
		},
		func() error { return ch.method(frame.BasicAck, arguments(3, 1)) },
		func() error { return ch.method(frame.BasicNack, arguments(5, 0)) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if got := ch.oldest(); got != 4 {
		t.Errorf("the oldest that is not confirmed is %d, want 4", got)
	}
	ch.end(errSessionClosed)
	for i, want := range []outcome{confirmed, confirmed, unroutable, lost, refused, lost} {
		if got := <-cs[i].done; got != want {
			t.Errorf("message %d has outcome %d, want %d", i+1, got, want)
		}
	}
	if _, err := ch.publish("", "q", &frame.Properties{}, nil); !errors.Is(err, errSessionClosed) {
		t.Errorf("published on a closed channel: %v", err)
	}
}

// A confirm of what was never published is an error, not a panic.
func TestConfirmsUnknown(t *testing.T) {
	ch := offline(t)
	publish(t, ch, "a")
	if err := ch.method(frame.BasicAck, arguments(1, 0)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]byte{arguments(1, 0), arguments(9, 1), {1, 2}} {
		if err := ch.method(frame.BasicAck, args); err == nil {
			t.Errorf("no error for %v", args)
		}
	}
}

// Whatever frames come for a channel, they are taken or refused, and a message
// that is passed on has all of its body.
func FuzzReceive(f *testing.F) {
	deliver := append(frame.AppendShort(nil, "high-1"), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 'q')
	f.Add([]byte{0, 60, 0, 60}, deliver, frame.AppendContent(nil, 2, &frame.Properties{Type: "t"}), []byte("{}"))
	f.Add([]byte{0, 60, 0, 50}, append(frame.AppendShort([]byte{0, 0}, "x"), 0, 1, 'q'), frame.AppendContent(nil, 0, &frame.Properties{}), []byte{})
	f.Add([]byte{0, 60, 0, 80}, arguments(1, 1), []byte{}, []byte{})
	f.Add([]byte{0, 20, 0, 40}, []byte{0, 200, 0, 0, 0, 0, 0}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, method, arguments, header, body []byte) {
		ch := offline(t)
		publish(t, ch, "a")
		for _, err := range []error{
			ch.receive(frame.TypeMethod, append(method, arguments...)),
			ch.receive(frame.TypeHeader, header),
			ch.receive(frame.TypeBody, body),
			ch.receive(frame.TypeBody, body),
		} {
			if err != nil {
				return
			}
		}
		for _, d := range ch.take(nil) {
			if len(d.body)%max(1, len(body)) != 0 {
				t.Errorf("a message with %d bytes of frames of %d", len(d.body), len(body))
			}
		}
	})
}
