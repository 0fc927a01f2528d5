package wire

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// offline returns a channel that nobody answers.
func offline(t testing.TB) *Channel {
	ch, _, _ := recorded(t)
	return ch
}

// recorded returns a channel that nobody answers; a channel of Go's that is closed
// once something was written; and a function that ends the connection and returns
// all that was.
func recorded(t testing.TB) (*Channel, <-chan struct{}, func() string) {
	ch, server := piped(t)
	begun, written := make(chan struct{}), make(chan string, 1)
	go func() {
		first := make([]byte, 1)
		n, _ := server.Read(first)
		close(begun)
		rest, _ := io.ReadAll(server)
		written <- string(first[:n]) + string(rest)
	}()
	return ch, begun, func() string {
		ch.conn.transport.Close()
		return <-written
	}
}

// piped returns a channel, and the other end of its connection.
func piped(t testing.TB) (*Channel, net.Conn) {
	client, server := net.Pipe()
	tr := newTransport(client, time.Minute)
	t.Cleanup(func() { tr.Close() })
	tr.numbers.divide(7)
	ch := newChannel(&Conn{library: &amqp.Connection{}, transport: tr, done: make(chan struct{})})
	if err := tr.numbers.add(ch); err != nil {
		t.Fatal(err)
	}
	return ch, server
}

func publish(t *testing.T, ch *Channel, id string) *Confirmation {
	t.Helper()
	c, err := ch.Publish("", "q", &Properties{MessageID: id}, []byte("{}"))
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
	var cs []*Confirmation
	for range 6 {
		cs = append(cs, publish(t, ch, string(rune('a'+len(cs)))))
	}
	returned := appendShort(appendShort(appendShort([]byte{1, 56}, "NO_ROUTE"), ""), "q")
	for _, step := range []func() error{
		func() error { return ch.method(basicAck, arguments(2, 0)) },
		func() error { return ch.method(basicReturn, returned) },
		func() error {
			return ch.receive(frameHeader, appendContent(nil, 0, &Properties{MessageID: "c"}))
		},
		func() error { return ch.method(basicAck, arguments(3, 1)) },
		func() error { return ch.method(basicNack, arguments(5, 0)) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if got, queue := ch.Oldest(); got != 4 || queue != "q" {
		t.Errorf("the oldest that is not confirmed is %d to %s, want 4 to q", got, queue)
	}
	ch.end(ErrClosed)
	for i, want := range []Outcome{Confirmed, Confirmed, Unroutable, Lost, Refused, Lost} {
		if got := cs[i].Wait(t.Context()); got != want {
			t.Errorf("message %d has outcome %d, want %d", i+1, got, want)
		}
	}
	if _, err := ch.Publish("", "q", &Properties{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("published on a closed channel: %v", err)
	}
}

// After the frame that ends a channel nothing is written under its number, which
// may be another channel's: there an acknowledgement would remove a message that
// nobody has executed.
func TestNothingAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(*Channel, <-chan struct{}){
		"by RabbitMQ": func(ch *Channel, _ <-chan struct{}) {
			if err := ch.method(channelClose, []byte{1, 150, 0, 0, 0, 0, 0}); err != nil {
				t.Error(err)
			}
		},
		"by us": func(ch *Channel, begun <-chan struct{}) {
			go ch.Close()
			<-begun // nobody answers
		},
	} {
		ch, begun, written := recorded(t)
		end(ch, begun)
		ch.Ack(1, true)
		ch.Reject(2)
		ch.Requeue()
		ch.Publish("", "q", &Properties{}, nil)
		ch.end(ErrClosed)
		sent := written()
		_, _, size := parseHead([]byte(sent))
		if m, _ := splitMethod([]byte(sent)[headSize:]); len(sent) != int(size)+overhead || m != channelClose && m != channelCloseOK {
			t.Errorf("closed %s: %q was written", name, sent)
		}
	}
}

// A confirm of what was never published is an error, not a panic.
func TestConfirmsUnknown(t *testing.T) {
	ch := offline(t)
	publish(t, ch, "a")
	if err := ch.method(basicAck, arguments(1, 0)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]byte{arguments(1, 0), arguments(9, 1), {1, 2}} {
		if err := ch.method(basicAck, args); err == nil {
			t.Errorf("no error for %v", args)
		}
	}
}

// A delivery that is broken off is the end of the connection: another one would
// come under the tag of a message that was never passed on.
func TestBrokenOffDelivery(t *testing.T) {
	deliver := func(ch *Channel, tag byte) error {
		arguments := append(appendShort(nil, "c"), 0, 0, 0, 0, 0, 0, 0, tag, 0, 0, 1, 'q')
		return ch.receive(frameMethod, append([]byte{0, 60, 0, 60}, arguments...))
	}
	header := appendContent(nil, 2, &Properties{Type: "t"})
	for name, parts := range map[string]func(*Channel) error{
		"its properties": func(*Channel) error { return nil },
		"its body":       func(ch *Channel) error { return ch.receive(frameHeader, header) },
	} {
		ch := offline(t)
		if err := deliver(ch, 1); err != nil {
			t.Fatal(err)
		}
		if err := parts(ch); err != nil {
			t.Fatal(err)
		}
		if err := deliver(ch, 2); err == nil {
			t.Errorf("a delivery without %s is passed over", name)
		}
	}
}

// Whatever frames come for a channel, they are taken or refused, and a message
// that is passed on has all of its body.
func FuzzReceive(f *testing.F) {
	deliver := append(appendShort(nil, "high-1"), 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 'q')
	f.Add([]byte{0, 60, 0, 60}, deliver, appendContent(nil, 2, &Properties{Type: "t"}), []byte("{}"))
	f.Add([]byte{0, 60, 0, 50}, append(appendShort([]byte{0, 0}, "x"), 0, 1, 'q'), appendContent(nil, 0, &Properties{}), []byte{})
	f.Add([]byte{0, 60, 0, 80}, arguments(1, 1), []byte{}, []byte{})
	f.Add([]byte{0, 20, 0, 40}, []byte{0, 200, 0, 0, 0, 0, 0}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, method, arguments, header, body []byte) {
		ch := offline(t)
		publish(t, ch, "a")
		for _, err := range []error{
			ch.receive(frameMethod, append(method, arguments...)),
			ch.receive(frameHeader, header),
			ch.receive(frameBody, body),
			ch.receive(frameBody, body),
		} {
			if err != nil {
				return
			}
		}
		ds, _ := ch.Take(nil)
		for _, d := range ds {
			if len(d.Body)%max(1, len(body)) != 0 {
				t.Errorf("a message with %d bytes of frames of %d", len(d.Body), len(body))
			}
		}
	})
}
