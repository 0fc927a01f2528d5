package wire

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// bytesOf returns frames as they are sent.
func bytesOf(fs ...wiretest.Frame) (b []byte) {
	for _, f := range fs {
		b = append(b, f.Bytes()...)
	}
	return b
}

// confirmOf returns a confirm of one message.
func confirmOf(ch *Channel, tag uint64) wiretest.Frame {
	return wiretest.Method(ch.id, 60, 80, tag, uint8(0))
}

// However the bytes of the server are cut, the same arrives.
func TestSplitFrames(t *testing.T) {
	for _, size := range []int{1, 2, 7, 8, 13, 4096, 1 << 20} {
		s, client := wiretest.New(t)
		c := connect(t, s, client)
		ch := openPublisher(t, c)
		consume(t, ch)
		const n = 10
		var b []byte
		var cs []*Confirmation
		for i := range n {
			cs = append(cs, publish(t, ch, "id"))
			body := strings.Repeat(fmt.Sprint(i), i*100)
			b = append(b, bytesOf(wiretest.Delivery(ch.id, uint64(i+1), "c", "q", "t", body)...)...)
			b = append(b, bytesOf(wiretest.Frame{Type: 8}, confirmOf(ch, uint64(i+1)))...) // 8: a heartbeat, which is the library's
		}
		for len(b) > 0 {
			piece := b[:min(size, len(b))]
			b = b[len(piece):]
			s.SendBytes(piece)
		}
		for i, d := range takeAll(t, ch, n) {
			if d.Tag != uint64(i+1) || d.Consumer != "c" || d.Key != "q" || d.Type != "t" || string(d.Body) != strings.Repeat(fmt.Sprint(i), i*100) {
				t.Errorf("in pieces of %d: message %d is %+v", size, i, d)
			}
		}
		for i, c := range cs {
			if o := c.Wait(t.Context()); o != Confirmed {
				t.Errorf("in pieces of %d: message %d has outcome %d", size, i, o)
			}
		}
	}
}

// The frames of several channels, the library's among them, come in any order.
func TestInterleavedFrames(t *testing.T) {
	s, client := wiretest.New(t)
	c := connect(t, s, client)
	var chs [3]*Channel
	for i := range chs {
		chs[i] = openChannel(t, c)
		consume(t, chs[i])
	}
	library, err := c.library.Channel()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := library.Consume("q", "c", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	for i := range n {
		tag := uint64(i + 1)
		messages := [][]wiretest.Frame{wiretest.Delivery(1, tag, "c", "q", "t", "library")}
		for k, ch := range chs {
			messages = append(messages, wiretest.Delivery(ch.id, tag, "c", "q", "t", strings.Repeat("x", k+1)))
		}
		for part := range 3 { // of all messages in turn
			for _, m := range messages {
				s.Send(m[part])
			}
			s.Send(wiretest.Frame{Type: 8})
		}
	}
	for k, ch := range chs {
		for i, d := range takeAll(t, ch, n) {
			if d.Tag != uint64(i+1) || len(d.Body) != k+1 {
				t.Errorf("channel %d: message %d is %+v", k, i, d)
			}
		}
	}
	for range n {
		if d := <-theirs; string(d.Body) != "library" {
			t.Errorf("the library has received %q", d.Body)
		}
	}
}

// Frames that make no sense end the connection, and what was published on it is
// lost: nobody waits for ever.
func TestDamagedFrames(t *testing.T) {
	for name, damage := range map[string]func(ch *Channel) []byte{
		"a frame with another end": func(ch *Channel) []byte {
			b := confirmOf(ch, 1).Bytes()
			b[len(b)-1] = 0
			return b
		},
		"a frame that is too long": func(ch *Channel) []byte {
			return begin(nil, frameMethod, ch.id)[:3:3] // and a size
		},
		"a frame of an unknown type": func(ch *Channel) []byte { return wiretest.Frame{Type: 9, Channel: ch.id}.Bytes() },
		"a frame of no channel": func(ch *Channel) []byte {
			return wiretest.Method(ch.id-1, 60, 80, uint64(1), uint8(0)).Bytes()
		},
		"a method that is too short": func(ch *Channel) []byte {
			return wiretest.Frame{Type: frameMethod, Channel: ch.id, Payload: []byte{0, 60}}.Bytes()
		},
		"an answer to nothing": func(ch *Channel) []byte {
			return wiretest.Method(ch.id, 60, 11).Bytes()
		},
		"a confirm of nothing": func(ch *Channel) []byte { return confirmOf(ch, 2).Bytes() },
		"a delivery of another tag": func(ch *Channel) []byte {
			return bytesOf(wiretest.Delivery(ch.id, 2, "c", "q", "t", "x")...)
		},
		"a method in a message": func(ch *Channel) []byte {
			return bytesOf(append(wiretest.Delivery(ch.id, 1, "c", "q", "t", "x")[:1], confirmOf(ch, 1))...)
		},
		"a body without properties": func(ch *Channel) []byte {
			m := wiretest.Delivery(ch.id, 1, "c", "q", "t", "x")
			return bytesOf(m[0], m[2])
		},
		"a body without a message": func(ch *Channel) []byte {
			return bytesOf(wiretest.Delivery(ch.id, 1, "c", "q", "t", "x")[1:]...)
		},
		"a body that is too long": func(ch *Channel) []byte {
			m := wiretest.Delivery(ch.id, 1, "c", "q", "t", "x")
			m[2].Payload = []byte("xy")
			return bytesOf(m...)
		},
		"properties without their fields": func(ch *Channel) []byte {
			m := wiretest.Delivery(ch.id, 1, "c", "q", "t", "x")
			m[1].Payload = m[1].Payload[:14]
			return bytesOf(m...)
		},
		"half a frame": func(ch *Channel) []byte { return confirmOf(ch, 1).Bytes()[:9] },
	} {
		t.Run(name, func(t *testing.T) {
			s, client := wiretest.New(t)
			c := connect(t, s, client)
			ch := openPublisher(t, c)
			consume(t, ch)
			confirmation := publish(t, ch, "id")
			b := damage(ch)
			if len(b) == 3 {
				b = append(b, 0x7F, 0xFF, 0xFF, 0xFF)
			}
			s.SendBytes(b)
			if name == "half a frame" {
				s.Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			select {
			case <-c.Done():
			case <-ctx.Done():
				t.Fatal("the connection goes on")
			}
			if o := confirmation.Wait(ctx); o != Lost || ctx.Err() != nil {
				t.Errorf("outcome %d, want lost", o)
			}
			if _, err := ch.Wait(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("wait: %v", err)
			}
			if _, err := c.Channel(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("a new channel: %v", err)
			}
		})
	}
}

// Whatever the server sends, the client takes it or ends the connection. What
// it passes on has tags without a gap, and every message has an outcome.
func FuzzServer(f *testing.F) {
	// The channel has the number 7; see below.
	f.Add(bytesOf(wiretest.Delivery(7, 1, "c", "q", "t", "body")...))
	f.Add(bytesOf(wiretest.Method(7, 60, 80, uint64(1), uint8(1)), wiretest.Frame{Type: 8}))
	f.Add(bytesOf(wiretest.Method(7, 20, 40, uint16(404), "gone", uint16(0), uint16(0))))
	f.Add(bytesOf(wiretest.Method(7, 60, 30, "c", uint8(1)), wiretest.Method(3, 20, 40, uint16(404), "gone", uint16(0), uint16(0))))
	f.Add(bytesOf(wiretest.Method(0, 10, 60, "memory"), wiretest.Method(0, 10, 61)))
	f.Add(bytesOf(wiretest.Method(0, 10, 41, ""))) // an answer to nothing, for the library
	f.Add(bytesOf(wiretest.Method(3, 50, 11, "q", uint32(0), uint32(0))))
	f.Add(bytes.Repeat([]byte{1, 0, 7, 0, 0}, 10))
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) { // some ends take their time
			emptyPool()
			defer emptyPool()
			s, client := wiretest.New(t)
			s.ChannelMax = 7
			c := connect(t, s, client)
			ch := openPublisher(t, c)
			consume(t, ch)
			confirmation := publish(t, ch, "id")
			go func() {
				s.SendBytes(b)
				s.Close()
			}()
			<-c.Done()
			if o := confirmation.Wait(t.Context()); o < Confirmed || o > Lost {
				t.Errorf("outcome %d", o)
			}
			ds, _ := ch.Take(nil)
			for i, d := range ds {
				if d.Tag != uint64(i+1) {
					t.Errorf("message %d has tag %d", i+1, d.Tag)
				}
			}
		})
	})
}
