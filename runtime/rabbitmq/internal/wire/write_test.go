package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// A server that does not read is given up, also if it sends: heartbeats, say.
// One that reads slowly is not.
func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		tr := newTransport(client, time.Minute)
		const size = 1 << 20
		tr.send(make([]byte, size))
		for range size / (16 << 10) {
			time.Sleep(time.Second)
			if _, err := io.ReadFull(server, make([]byte, 16<<10)); err != nil {
				t.Fatalf("given up while the server reads: %v", err)
			}
		}
		synctest.Wait()

		tr.send([]byte("x"))
		start := time.Now()
		<-tr.flushed
		if took := time.Since(start); took > 20*time.Second || !errors.Is(tr.err, os.ErrDeadlineExceeded) {
			t.Errorf("given up after %v: %v", took, tr.err)
		}
	})
}

// What is written while a write is under way is written together after it. A
// caller that may write by itself does so only when nothing else is pending.
func TestJoinedWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		tr := newTransport(client, time.Minute)
		defer tr.Close()
		defer server.Close()
		if !tr.reserve() {
			t.Fatal("nothing is pending, and the caller may not write")
		}
		go tr.sendReserved([]byte("first "))
		if tr.reserve() {
			t.Error("two may write at a time")
		}
		tr.send([]byte("second "))
		tr.send([]byte("third"))
		if tr.reserve() {
			t.Error("the caller may write before what is pending")
		}
		for _, want := range []string{"first ", "second third"} {
			buf := make([]byte, 100)
			synctest.Wait()
			if n, _ := server.Read(buf); string(buf[:n]) != want {
				t.Errorf("a write of %q, want %q", buf[:n], want)
			}
		}
	})
}

// A deadline for all that is set just as a read begins is not overwritten by
// the read's own.
func TestDeadlinesCross(t *testing.T) {
	client, server := net.Pipe()
	defer server.Close()
	crossing := &crossingConn{Conn: client}
	tr := newTransport(crossing, time.Hour)
	defer tr.Close()
	soon := time.Now().Add(10 * time.Millisecond)
	crossing.cross = func() { tr.SetDeadline(soon) }
	if _, err := tr.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

// A crossingConn calls cross just before the first deadline of a read is set.
type crossingConn struct {
	net.Conn
	cross func()
}

func (c *crossingConn) SetReadDeadline(deadline time.Time) error {
	if cross := c.cross; cross != nil {
		c.cross = nil
		cross()
	}
	return c.Conn.SetReadDeadline(deadline)
}
