package rabbitmq

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
		st := newStream(client, time.Minute)
		const size = 1 << 20
		st.Write(make([]byte, size))
		for range size / (16 << 10) {
			time.Sleep(time.Second)
			if _, err := io.ReadFull(server, make([]byte, 16<<10)); err != nil {
				t.Fatalf("given up while the server reads: %v", err)
			}
		}
		synctest.Wait()

		st.Write([]byte("x"))
		if took := await(t, st.flushed); took > 20*time.Second || !errors.Is(st.err, os.ErrDeadlineExceeded) {
			t.Errorf("given up after %v: %v", took, st.err)
		}
	})
}
