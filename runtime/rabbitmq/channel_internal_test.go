package rabbitmq

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// offline returns a channel that nobody answers.
func offline(t testing.TB) *channel {
	ch, _, _ := recorded(t)
	return ch
}

// recorded returns a channel that nobody answers; a channel of Go's that is closed
// once something was written; and a function that ends the connection and returns
// all that was.
func recorded(t testing.TB) (*channel, <-chan struct{}, func() string) {
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
		ch.session.stream.Close()
		return <-written
	}
}

// piped returns a channel, and the other end of its connection.
func piped(t testing.TB) (*channel, net.Conn) {
	client, server := net.Pipe()
	st := newStream(client, time.Minute)
	t.Cleanup(func() { st.Close() })
	st.allChannels.Store(7)
	s := &session{conn: &amqp.Connection{}, stream: st, closed: make(chan struct{})}
	ch := newChannel(s)
	if err := st.add(ch); err != nil {
		t.Fatal(err)
	}
	return ch, server
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
	if got, queue := ch.oldest(); got != 4 || queue != "q" {
		t.Errorf("the oldest that is not confirmed is %d to %s, want 4 to q", got, queue)
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

// After the frame that ends a channel nothing is written under its number, which
// may be another channel's: there an acknowledgement would remove a message that
// nobody has executed.
func TestNothingAfterTheEnd(t *testing.T) {
	for name, end := range map[string]func(*channel, <-chan struct{}){
		"by RabbitMQ": func(ch *channel, _ <-chan struct{}) {
			if err := ch.method(frame.ChannelClose, []byte{1, 150, 0, 0, 0, 0, 0}); err != nil {
				t.Error(err)
			}
		},
		"by us": func(ch *channel, begun <-chan struct{}) {
			go ch.close()
			<-begun // nobody answers
		},
	} {
		ch, begun, written := recorded(t)
		end(ch, begun)
		ch.ack(1, true)
		ch.reject(2)
		ch.requeueAll()
		ch.publish("", "q", &frame.Properties{}, nil)
		ch.end(errSessionClosed)
		sent := written()
		_, _, size := frame.ParseHead([]byte(sent))
		if m, _ := frame.SplitMethod([]byte(sent)[frame.HeadSize:]); len(sent) != int(size)+frame.Overhead || m != frame.ChannelClose && m != frame.ChannelCloseOK {
			t.Errorf("closed %s: %q was written", name, sent)
		}
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

// A delivery that is broken off is the end of the connection: another one would
// come under the tag of a message that was never passed on.
func TestBrokenOffDelivery(t *testing.T) {
	deliver := func(ch *channel, tag byte) error {
		arguments := append(frame.AppendShort(nil, "c"), 0, 0, 0, 0, 0, 0, 0, tag, 0, 0, 1, 'q')
		return ch.receive(frame.TypeMethod, append([]byte{0, 60, 0, 60}, arguments...))
	}
	header := frame.AppendContent(nil, 2, &frame.Properties{Type: "t"})
	for name, parts := range map[string]func(*channel) error{
		"its properties": func(*channel) error { return nil },
		"its body":       func(ch *channel) error { return ch.receive(frame.TypeHeader, header) },
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
