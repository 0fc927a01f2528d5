package wire

import (
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// The tests in this file say what this package takes for granted of amqp091-go
// without being promised it. If one fails after an upgrade, look whether the
// package still does its work.

// A recorder lies between the library and the transport, and notes what the
// library does.
type recorder struct {
	net.Conn
	wrote func() // called after each write; may be nil

	mu        sync.Mutex
	writes    [][]byte
	deadlines []time.Time
	closes    int
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.writes = append(r.writes, append([]byte(nil), p...))
	r.mu.Unlock()
	n, err := r.Conn.Write(p)
	if r.wrote != nil {
		r.wrote()
	}
	return n, err
}

func (r *recorder) SetDeadline(d time.Time) error {
	r.deadlines = append(r.deadlines, d)
	return r.Conn.SetDeadline(d)
}

func (r *recorder) Close() error {
	r.closes++
	return r.Conn.Close()
}

// frames splits a write into whole frames, and returns how much is left.
func frames(p []byte) (fs [][]byte, rest int) {
	for {
		n := frameLength(p)
		if n == 0 {
			return fs, len(p)
		}
		fs = append(fs, p[:n])
		p = p[n:]
	}
}

// libraryBuffer is the size of the library's buffer.
const libraryBuffer = 4096

// What the library has to write for us are whole frames, each write some of
// them, and none is as long as its buffer. TuneOk begins a write.
func TestLibraryWritesWholeFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := wiretest.New(t)
		s.Serve()
		r := &recorder{Conn: newTransport(client, 6*time.Hour)}
		config := testConfig.library()
		config.SASL = []amqp.Authentication{&amqp.PlainAuth{Username: strings.Repeat("u", 255), Password: strings.Repeat("p", 255)}}
		config.Vhost = strings.Repeat("v", 255)
		library, err := amqp.Open(r, config)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Repeat("n", 255)
		for range 3 {
			ch, err := library.Channel()
			if err != nil {
				t.Fatal(err)
			}
			if err := ch.ExchangeDeclare(name, "topic", true, false, false, false, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
				"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-delivery-limit": int64(1000),
				"x-dead-letter-exchange": name, "x-dead-letter-routing-key": name, "x-dead-letter-strategy": "at-least-once",
			}); err != nil {
				t.Fatal(err)
			}
			if err := ch.QueueBind(name, name, name, false, nil); err != nil {
				t.Fatal(err)
			}
			ch.Close()
		}
		time.Sleep(6 * time.Hour) // heartbeats
		library.CloseDeadline(time.Now().Add(time.Second))

		tuneOK := false
		for i, w := range r.writes {
			fs, rest := frames(w)
			if rest > 0 || len(w) > libraryBuffer {
				t.Errorf("write %d has %d bytes, the last %d of which are no whole frame", i, len(w), rest)
			}
			for k, f := range fs {
				if m, _ := splitMethod(f[min(headSize, len(f)):]); m == connectionTuneOK {
					tuneOK = k == 0
				}
			}
		}
		if !tuneOK {
			t.Error("no write begins with TuneOk")
		}
		if len(r.writes) < 20 {
			t.Errorf("%d writes", len(r.writes))
		}
	})
}

// The library writes a frame that is longer than its buffer in pieces. That is
// why the transport keeps frames whole.
func TestLibrarySplitsLongFrames(t *testing.T) {
	s, client := wiretest.New(t)
	s.Serve()
	r := &recorder{Conn: newTransport(client, time.Minute)}
	declareLong(t, libraryOn(t, r))
	for _, w := range r.writes {
		if _, rest := frames(w); rest > 0 {
			return
		}
	}
	t.Error("all writes are whole frames; is whole.go needed any more?")
}

// declareLong has the library write a frame that is longer than its buffer.
func declareLong(t *testing.T, library *amqp.Connection) {
	t.Helper()
	ch, err := library.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-long": strings.Repeat("x", 3*libraryBuffer)}); err != nil {
		t.Fatal(err)
	}
}

// Between the pieces of a frame that the library writes there is room for an
// acknowledgement of ours. It goes before or after that frame, not into it.
func TestLongFrameStaysWhole(t *testing.T) {
	s, client := wiretest.New(t)
	acks := 0
	s.Handle = func(f wiretest.Frame) bool {
		if f.Method() == uint32(basicAck) {
			acks++
		}
		return false
	}
	s.Serve()
	tr := newTransport(client, time.Minute)
	r := &recorder{Conn: tr}
	library := libraryOn(t, r)
	ch := openChannel(t, &Conn{library: library, transport: tr, done: make(chan struct{})})
	sent := 0
	r.wrote = func() {
		ch.Ack(1, false)
		sent++
	}
	declareLong(t, library)
	r.wrote = nil
	library.Close()
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
	if acks != sent || sent < 3 {
		t.Errorf("%d acknowledgements of %d arrived", acks, sent)
	}
}

// The library has the lower half of the channels and uses no other numbers; we
// have the rest; RabbitMQ is told of all.
func TestChannelNumbers(t *testing.T) {
	for _, test := range []struct{ server, all, library uint16 }{
		{0, 2047, 1024}, {2047, 2047, 1024}, {65535, 2047, 1024}, {8, 8, 4}, {7, 7, 4}, {2, 2, 1}, {1, 1, 1},
	} {
		s, client := wiretest.New(t)
		s.ChannelMax = test.server
		var told uint16
		opened := make(map[uint16]bool)
		s.Handle = func(f wiretest.Frame) bool {
			switch f.Method() {
			case uint32(connectionTuneOK):
				told = binary.BigEndian.Uint16(f.Payload[4:])
			case uint32(channelOpen):
				if opened[f.Channel] {
					t.Errorf("channel %d is opened twice", f.Channel)
				}
				opened[f.Channel] = true
			}
			return false
		}
		c := connect(t, s, client)
		for range min(test.library, 10) {
			if _, err := c.library.Channel(); err != nil {
				t.Errorf("%d channels: the library: %v", test.server, err)
			}
		}
		for range min(test.all-test.library, 10) {
			if _, err := c.Channel(t.Context()); err != nil {
				t.Errorf("%d channels: %v", test.server, err)
			}
		}
		if test.all <= 10 {
			if _, err := c.library.Channel(); err == nil {
				t.Errorf("%d channels: the library has one more than %d", test.server, test.library)
			}
			if _, err := c.Channel(t.Context()); err == nil || !strings.Contains(err.Error(), "channel_max") {
				t.Errorf("%d channels: one more than there are: %v", test.server, err)
			}
		}
		c.End(ErrClosed)
		if err := s.Wait(); err != nil {
			t.Error(err)
		}
		if told != test.all || c.library.Config.ChannelMax != test.library {
			t.Errorf("%d channels: RabbitMQ is told of %d, the library of %d; want %d and %d",
				test.server, told, c.library.Config.ChannelMax, test.all, test.library)
		}
	}
}

// The library clears the deadline after the handshake, sets one for the close,
// and closes the connection once. It never replaces the connection by another
// one: after the end it writes nothing.
func TestLibraryEnds(t *testing.T) {
	for name, end := range map[string]func(*wiretest.Server, *amqp.Connection){
		"closed by us": func(_ *wiretest.Server, library *amqp.Connection) { library.CloseDeadline(time.Now().Add(time.Second)) },
		"lost":         func(s *wiretest.Server, _ *amqp.Connection) { s.Close() },
		"closed by them": func(s *wiretest.Server, _ *amqp.Connection) {
			s.Send(wiretest.Method(0, 10, 50, uint16(320), "bye", uint16(0), uint16(0)))
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, client := wiretest.New(t)
			s.Serve()
			r := &recorder{Conn: newTransport(client, 10*time.Hour)}
			library := libraryOn(t, r)
			if len(r.deadlines) != 1 || !r.deadlines[0].IsZero() {
				t.Errorf("%s: the library has set the deadlines %v", name, r.deadlines)
			}
			end(s, library)
			synctest.Wait()
			writes := len(r.writes)
			time.Sleep(9 * time.Hour)
			if !library.IsClosed() || r.closes != 1 || len(r.writes) != writes {
				t.Errorf("%s: closed %v, %d times, %d writes and then %d", name, library.IsClosed(), r.closes, writes, len(r.writes))
			}
		})
	}
}
