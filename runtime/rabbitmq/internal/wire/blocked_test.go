package wire

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// While RabbitMQ is blocked it does not read, for as long as that takes. When it
// says that it reads again it has to.
func TestBlocked(t *testing.T) {
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, client := wiretest.New(t)
			var reading chan struct{} // closed when the server reads
			s.Handle = func(wiretest.Frame) bool {
				if reading != nil {
					<-reading
				}
				return false
			}
			c := connect(t, s, client)
			ch := openPublisher(t, c)
			if c.Blocked() != nil {
				t.Error("blocked from the beginning")
			}
			reading = make(chan struct{})
			s.Send(wiretest.Method(0, 10, 60, "memory"))
			synctest.Wait()
			accepting := c.Blocked()
			if accepting == nil {
				t.Fatal("not blocked")
			}
			publish(t, ch, "a")
			publish(t, ch, "b")
			time.Sleep(time.Hour)
			if isOver(c.Done()) || isOver(accepting) {
				t.Fatalf("given up while RabbitMQ is blocked: %v", c.Err())
			}
			if reads {
				close(reading)
			}
			s.Send(wiretest.Method(0, 10, 61))
			synctest.Wait()
			if !isOver(accepting) || c.Blocked() != nil {
				t.Error("still blocked")
			}
			time.Sleep(2 * writeTimeout)
			if isOver(c.Done()) == reads {
				t.Errorf("the server reads: %v; the connection is over: %v", reads, c.Err())
			}
			if !reads {
				close(reading)
			}
		})
	}
}

// Who waits for RabbitMQ to accept messages is told of the end of the connection.
func TestBlockedToTheEnd(t *testing.T) {
	s, client := wiretest.New(t)
	c := connect(t, s, client)
	s.Send(wiretest.Method(0, 10, 60, "disk"))
	for c.Blocked() == nil {
		time.Sleep(time.Millisecond)
	}
	accepting := c.Blocked()
	s.Close()
	<-accepting
}
