package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A server that lives but does not answer is given up, whatever it was asked. Who
// waits is told why.
func TestNoAnswer(t *testing.T) {
	open := func(c *Conn) (*Channel, error) { return c.Channel(context.Background()) }
	consumer := func(call func(*Channel) error) func(*Conn) error {
		return func(c *Conn) error {
			ch, err := open(c)
			if err != nil {
				return err
			}
			return call(ch)
		}
	}
	declare := func(c *Conn) error {
		return c.Declare(context.Background(), func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("q", true, false, false, false, nil)
			return err
		})
	}
	for name, c := range map[string]struct {
		silent uint32 // the method that is not answered
		call   func(*Conn) error
	}{
		"channel.open":          {uint32(channelOpen), func(c *Conn) error { _, err := open(c); return err }},
		"channel.open, ours":    {uint32(channelOpen), declare},
		"confirm.select":        {uint32(confirmSelect), func(c *Conn) error { _, err := c.Publisher(context.Background(), nil); return err }},
		"basic.qos":             {uint32(basicQoS), consumer(func(ch *Channel) error { return ch.Consume("q", "c", 1, "") })},
		"basic.consume":         {uint32(basicConsume), consumer(func(ch *Channel) error { return ch.Consume("q", "c", 1, "") })},
		"basic.cancel":          {uint32(basicCancel), consumer(func(ch *Channel) error { return ch.Cancel("c") })},
		"queue.declare":         {uint32(queueDeclare), consumer(func(ch *Channel) error { _, err := ch.Ready("q"); return err })},
		"queue.declare, theirs": {uint32(queueDeclare), declare},
		"channel.close":         {uint32(channelClose), consumer((*Channel).Close)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, client := wiretest.New(t)
				s.Handle = func(f wiretest.Frame) bool { return f.Method() == c.silent }
				conn := connect(t, s, client)
				go beat(s, conn)
				start := time.Now()
				err := c.call(conn)
				if !errors.Is(err, ErrNoAnswer) || !errors.Is(conn.Err(), ErrNoAnswer) {
					t.Errorf("error %v, of the connection %v, want ErrNoAnswer", err, conn.Err())
				}
				if took := time.Since(start); took < answerTimeout || took > 2*answerTimeout {
					t.Errorf("given up after %v", took)
				}
			})
		})
	}
}

// A server that is blocked answers when it is not any more.
func TestAnswerAfterAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := wiretest.New(t)
		blocked := true
		s.Handle = func(f wiretest.Frame) bool { return blocked && f.Method() == uint32(basicQoS) }
		c := connect(t, s, client)
		go beat(s, c)
		ch := openChannel(t, c)
		s.Send(wiretest.Method(0, 10, 60, "memory"))
		synctest.Wait()
		answered := make(chan error)
		go func() { answered <- ch.qos(1) }()
		time.Sleep(time.Hour)
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		s.Send(wiretest.Method(0, 10, 61), wiretest.Method(ch.id, 60, 11))
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// A declaration may take as long as it likes while RabbitMQ answers one call after
// the other, up to a limit.
func TestLongDeclaration(t *testing.T) {
	for calls, ok := range map[int]bool{3: true, 30: false} {
		synctest.Test(t, func(t *testing.T) {
			s, client := wiretest.New(t)
			s.Handle = func(f wiretest.Frame) bool {
				if f.Method() == uint32(queueDeclare) {
					time.Sleep(answerTimeout * 2 / 3)
				}
				return false
			}
			c := connect(t, s, client)
			go beat(s, c)
			err := c.Declare(t.Context(), func(ch *amqp.Channel) (err error) {
				for range calls {
					if _, err = ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
						break
					}
				}
				return err
			})
			if (err == nil) != ok {
				t.Errorf("%d calls: %v", calls, err)
			}
		})
	}
}

// beat sends heartbeats until the connection ends.
func beat(s *wiretest.Server, c *Conn) {
	for {
		select {
		case <-c.Done():
			return
		case <-time.After(testConfig.Heartbeat / 2):
			s.Send(wiretest.Frame{Type: 8})
		}
	}
}
