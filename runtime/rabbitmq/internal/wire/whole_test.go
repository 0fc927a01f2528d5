package wire

import (
	"bytes"
	"testing"
)

// However the frames of the library are cut, they come out whole.
func FuzzWhole(f *testing.F) {
	f.Add([]byte("body"), []byte{}, uint8(1))
	f.Add(bytes.Repeat([]byte("x"), 5000), []byte("y"), uint8(255))
	f.Fuzz(func(t *testing.T, first, second []byte, size uint8) {
		frame := func(payload []byte) []byte { return finish(append(begin(nil, frameBody, 3), payload...), 0) }
		want := [][]byte{[]byte(protocolHeader), frame(first), frame(second)}
		var w whole
		var got [][]byte
		for b := bytes.Join(want, nil); len(b) > 0; {
			piece := bytes.Clone(b[:min(int(size)+1, len(b))])
			b = b[len(piece):]
			w.add(piece, func(f []byte) { got = append(got, bytes.Clone(f)) })
			clear(piece) // it is the library's
		}
		if len(got) != len(want) || len(w.rest) > 0 {
			t.Fatalf("%d frames, %d bytes left", len(got), len(w.rest))
		}
		for i := range want {
			if !bytes.Equal(got[i], want[i]) {
				t.Errorf("frame %d is %q, want %q", i, got[i], want[i])
			}
		}
	})
}
