package wire

// protocolHeader is what a client sends before its first frame.
const protocolHeader = "AMQP\x00\x00\x09\x01"

// A whole makes whole frames of what the library writes. The library has a
// buffer of 4,096 bytes, so it writes a longer frame in several pieces; a frame
// of ours between two of them would become part of it.
type whole struct {
	rest []byte // the beginning of a frame
}

// add takes what the library writes, and passes on each frame that is complete.
func (w *whole) add(p []byte, pass func(frame []byte)) {
	if len(w.rest) > 0 {
		w.rest = append(w.rest, p...)
		p = w.rest
	}
	for {
		n := frameLength(p)
		if n == 0 {
			break
		}
		pass(p[:n])
		p = p[n:]
	}
	w.rest = append(w.rest[:0], p...)
	if len(w.rest) == 0 && cap(w.rest) > frameSize {
		w.rest = nil
	}
}

// frameLength returns the length of the frame at the beginning of p, or 0 if it
// is not complete.
func frameLength(p []byte) int {
	if len(p) < headSize {
		return 0
	}
	n := len(protocolHeader)
	if p[0] != protocolHeader[0] {
		_, _, size := parseHead(p)
		n = int(size) + overhead
	}
	if len(p) < n {
		return 0
	}
	return n
}
