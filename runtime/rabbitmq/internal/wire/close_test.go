package wire

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// closeOf returns what a server sends that closes a channel.
func closeOf(id uint16) wiretest.Frame {
	return wiretest.Method(id, 20, 40, uint16(404), "NOT_FOUND", uint16(0), uint16(0))
}

// RabbitMQ and we close a channel at the same time. The connection goes on, and
// the channel is over. Its number is free when RabbitMQ has answered our close, not
// before; it may lose that answer, then the number is free after a while.
func TestCrossedCloses(t *testing.T) {
	for name, loses := range map[string]bool{"answered": false, "never answered": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testCrossedCloses(t, loses) })
		})
	}
}

func testCrossedCloses(t *testing.T, loses bool) {
	s, client := wiretest.New(t)
	s.ChannelMax = 2 // one for us
	closing := true
	s.Handle = func(f wiretest.Frame) bool {
		if f.Method() == uint32(channelClose) && closing {
			s.Send(closeOf(f.Channel))
			return true
		}
		return false
	}
	c := connect(t, s, client)
	ch := openChannel(t, c)
	if err := ch.Close(); err != nil {
		t.Error(err)
	}
	if !errors.Is(ch.Err(), ErrClosed) {
		t.Errorf("over for %v", ch.Err())
	}
	if _, err := c.Channel(t.Context()); err == nil {
		t.Error("the number is free before RabbitMQ has answered")
	}
	if loses {
		time.Sleep(answerTimeout) // of the clock of the bubble
	} else {
		s.Send(wiretest.Method(ch.id, 20, 41))
	}
	synctest.Wait()
	closing = false
	openChannel(t, c).Close()
	if c.Err() != nil {
		t.Errorf("the connection is over: %v", c.Err())
	}
}

// A channel that RabbitMQ closes is over for its reason, and what is not
// confirmed is lost. The connection goes on, with the number free.
func TestClosedByRabbitMQ(t *testing.T) {
	s, client := wiretest.New(t)
	s.ChannelMax = 2
	c := connect(t, s, client)
	ch := openPublisher(t, c)
	confirmation := publish(t, ch, "a")
	s.Send(closeOf(ch.id))
	if o := confirmation.Wait(t.Context()); o != Lost {
		t.Errorf("outcome %d, want lost", o)
	}
	<-ch.Done()
	var e *amqp.Error
	if !errors.As(ch.Err(), &e) || e.Code != amqp.NotFound || !e.Server {
		t.Errorf("over for %v", ch.Err())
	}
	if _, err := ch.Publish("", "q", &Properties{}, nil); !errors.Is(err, ch.Err()) {
		t.Errorf("publish: %v", err)
	}
	openChannel(t, c)
}

// What waits for an answer is told when the channel ends, or the connection.
func TestCallEnds(t *testing.T) {
	for name, end := range map[string]func(*wiretest.Server, *Channel){
		"the channel by RabbitMQ": func(s *wiretest.Server, ch *Channel) { s.Send(closeOf(ch.id)) },
		"the connection":          func(s *wiretest.Server, _ *Channel) { s.Close() },
		"the connection by us":    func(_ *wiretest.Server, ch *Channel) { ch.conn.End(ErrClosed) },
	} {
		s, client := wiretest.New(t)
		called := make(chan bool, 1)
		s.Handle = func(f wiretest.Frame) bool {
			if f.Method() != uint32(basicQoS) {
				return false
			}
			called <- true
			return true
		}
		c := connect(t, s, client)
		ch := openChannel(t, c)
		go func() {
			<-called
			end(s, ch)
		}()
		if err := ch.Consume("q", "c", 1, ""); err == nil {
			t.Errorf("%s ends: no error", name)
		}
	}
}

// A server that is silent from the handshake on is given up. So is one that
// neither answers the close.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := wiretest.New(t)
		c := connect(t, s, client)
		start := time.Now()
		<-c.Done()
		if took := time.Since(start); took < testConfig.Heartbeat || took > 3*testConfig.Heartbeat {
			t.Errorf("given up after %v", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, client := wiretest.New(t)
		s.Handle = func(f wiretest.Frame) bool { return f.Method() == 10<<16|50 }
		c := connect(t, s, client)
		start := time.Now()
		c.End(ErrClosed)
		if took := time.Since(start); took > 3*closeTimeout {
			t.Errorf("closed after %v", took)
		}
	})
}

// RabbitMQ has the consumer's end confirmed by those that want it, and only by
// those.
func TestCancelled(t *testing.T) {
	for capabilities, want := range map[string]int{"": 0, "\x19accept_consumer_cancel_okt\x01": 1} {
		s, client := wiretest.New(t)
		s.Capabilities = capabilities
		confirmed := 0
		s.Handle = func(f wiretest.Frame) bool {
			if f.Method() == uint32(basicCancelOK) {
				confirmed++
			}
			return false
		}
		c := connect(t, s, client)
		ch := openChannel(t, c)
		consume(t, ch)
		s.Send(wiretest.Delivery(ch.id, 1, "c", "q", "t", "")...)
		s.Send(wiretest.Method(ch.id, 60, 30, "c", uint8(1)))
		if _, err := ch.Ready("q"); err != nil { // both have come
			t.Fatal(err)
		}
		if ds, err := ch.Wait(t.Context()); len(ds) != 1 || err != nil {
			t.Errorf("%d messages, %v", len(ds), err)
		}
		if _, err := ch.Wait(t.Context()); !errors.Is(err, ErrCancelled) {
			t.Errorf("%v, want ErrCancelled", err)
		}
		c.End(ErrClosed)
		s.Wait()
		if confirmed != want {
			t.Errorf("with the capabilities %q: confirmed %d times", capabilities, confirmed)
		}
	}
}
