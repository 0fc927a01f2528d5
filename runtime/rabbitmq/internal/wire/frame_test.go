package wire

import (
	"strings"
	"testing"
)

var allProperties = Properties{
	ContentType: "application/json", ContentEncoding: "identity", DeliveryMode: Persistent, Priority: 3,
	CorrelationID: "c", ReplyTo: "r", Expiration: "17", MessageID: "id", Timestamp: 1_700_000_000, Type: "pkg.Task", AppID: "a",
}

// A message is published in frames of the size that was agreed on, and its
// properties arrive as they were.
func TestPublish(t *testing.T) {
	var h Builder
	h.Text("text", "täxt")
	h.Int("negative", -5)
	h.Time("time", 7)
	h.Texts("list", "a", "b")
	p := allProperties
	p.Headers = h.Table()
	body := []byte(strings.Repeat("0123456789", 1000))
	const maxFrame = 4096
	b := appendPublish(nil, 2047, maxFrame, "exchange", "key", &p, body)

	var types []byte
	var got []byte
	for len(b) > 0 {
		typ, channel, n := parseHead(b)
		size := int(n)
		if channel != 2047 || size+overhead > maxFrame || size+overhead > len(b) || !complete(b[:size+overhead]) {
			t.Fatalf("frame of type %d, channel %d, %d bytes", typ, channel, size)
		}
		payload := b[headSize : headSize+size]
		b = b[size+overhead:]
		types = append(types, typ)
		switch typ {
		case frameMethod:
			m, arguments := splitMethod(payload)
			r := reader{rest: string(arguments)}
			if r.uint(2); m != basicPublish || r.short() != "exchange" || r.short() != "key" || r.octet() != 1 || !r.ok() {
				t.Errorf("method %#x with %q", m, arguments)
			}
		case frameHeader:
			size, read, err := parseContent(string(payload))
			if err != nil || size != uint64(len(body)) || read != p {
				t.Errorf("%d bytes with %+v, %v; want %+v", size, read, err, p)
			}
		case frameBody:
			got = append(got, payload...)
		}
	}
	if string(types) != "\x01\x02\x03\x03\x03" || string(got) != string(body) {
		t.Errorf("frames %v, %d bytes of body", types, len(got))
	}
}
