package wire

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A body that is too large takes no memory, not even two that come at the same time,
// and what is after it arrives.
func TestLargeBodiesDiscarded(t *testing.T) {
	const size, part, limit = 64 << 20, 64 << 10, 1 << 20
	s, client := wiretest.New(t)
	s.Serve()
	config := testConfig
	config.MaxBody = limit
	c, err := Open(t.Context(), client, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.End(ErrClosed) })
	chs := []*Channel{openChannel(t, c), openChannel(t, c)}
	parts := make([][]byte, len(chs))
	for i, ch := range chs {
		consume(t, ch)
		begun := wiretest.Delivery(ch.id, 1, "c", "q", "large", "")
		binary.BigEndian.PutUint64(begun[1].Payload[4:], size)
		s.Send(begun...)
		parts[i] = wiretest.Frame{Type: wiretest.TypeBody, Channel: ch.id, Payload: make([]byte, part)}.Bytes()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range size / part {
		for _, p := range parts {
			s.SendBytes(p)
		}
	}
	small := bytes.Repeat([]byte("x"), limit)
	for _, ch := range chs {
		s.Send(wiretest.Delivery(ch.id, 2, "c", "q", "small", string(small))[:2]...)
		for rest := small; len(rest) > 0; rest = rest[part:] {
			s.Send(wiretest.Frame{Type: wiretest.TypeBody, Channel: ch.id, Payload: rest[:part]})
		}
	}
	for _, ch := range chs {
		ds := takeAll(t, ch, 2)
		if ds[0].Type != "large" || ds[0].Discarded != size || ds[0].Body != nil {
			t.Errorf("the large message: type %s, %d bytes discarded, %d kept", ds[0].Type, ds[0].Discarded, len(ds[0].Body))
		}
		if ds[1].Type != "small" || ds[1].Discarded != 0 || !bytes.Equal(ds[1].Body, small) {
			t.Errorf("the message after it: type %s, %d bytes discarded, %d kept", ds[1].Type, ds[1].Discarded, len(ds[1].Body))
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > size/2 {
		t.Errorf("%d MiB were allocated for two bodies of %d MiB that nobody can use", allocated>>20, size>>20)
	}
}
