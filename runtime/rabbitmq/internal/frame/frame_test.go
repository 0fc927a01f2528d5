package frame

import (
	"strings"
	"testing"
)

var whole = Properties{
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
	p := whole
	p.Headers = h.Table()
	body := []byte(strings.Repeat("0123456789", 1000))
	const maxFrame = 4096
	b := AppendPublish(nil, 2047, maxFrame, "exchange", "key", &p, body)

	var types []byte
	var got []byte
	for len(b) > 0 {
		typ, channel, n := ParseHead(b)
		size := int(n)
		if channel != 2047 || size+Overhead > maxFrame || size+Overhead > len(b) || !Complete(b[:size+Overhead]) {
			t.Fatalf("frame of type %d, channel %d, %d bytes", typ, channel, size)
		}
		payload := b[HeadSize : HeadSize+size]
		b = b[size+Overhead:]
		types = append(types, typ)
		switch typ {
		case TypeMethod:
			m, arguments := SplitMethod(payload)
			r := NewReader(string(arguments))
			if r.Uint16(); m != BasicPublish || r.Short() != "exchange" || r.Short() != "key" || r.Octet() != 1 || !r.OK() {
				t.Errorf("method %#x with %q", m, arguments)
			}
		case TypeHeader:
			size, read, err := ParseContent(string(payload))
			if err != nil || size != uint64(len(body)) || read != p {
				t.Errorf("%d bytes with %+v, %v; want %+v", size, read, err, p)
			}
		case TypeBody:
			got = append(got, payload...)
		}
	}
	if string(types) != "\x01\x02\x03\x03\x03" || string(got) != string(body) {
		t.Errorf("frames %v, %d bytes of body", types, len(got))
	}
}

func TestTable(t *testing.T) {
	// As RabbitMQ sends it: all kinds of values.
	table := Table("\x01tt\x01" + "\x01bb\xff" + "\x01BB\xff" + "\x01ss\xff\xfe" + "\x01uu\xff\xfe" +
		"\x01II\xff\xff\xff\xfd" + "\x01ii\xff\xff\xff\xfd" + "\x01ll\xff\xff\xff\xff\xff\xff\xff\xfc" +
		"\x01ff\x3f\xc0\x00\x00" + "\x01dd\x3f\xf8\x00\x00\x00\x00\x00\x00" + "\x01DD\x00\x00\x00\x00\x01" +
		"\x01TT\x00\x00\x00\x00\x00\x00\x00\x07" + "\x01SS\x00\x00\x00\x02hi" + "\x01xx\x00\x00\x00\x01\xff" +
		"\x01AA\x00\x00\x00\x00" + "\x01FF\x00\x00\x00\x00" + "\x01VV")
	want := map[string]string{
		"t": "true", "b": "-1", "B": "255", "s": "-2", "u": "65534", "I": "-3", "i": "4294967293", "l": "-4", "f": "1.5", "d": "1.5", "S": "hi",
	}
	var copied Builder
	n := 0
	for name, v := range table.All() {
		n++
		copied.Value(name, v)
		if text, ok := v.Plain(); text != want[name] || ok != (want[name] != "") {
			t.Errorf("%s, a %s: %q, %v", name, v.Kind(), text, ok)
		}
	}
	if n != 17 || copied.Table() != table {
		t.Errorf("%d fields, copied as %q", n, copied.Table())
	}
	if v, ok := table.Get("S"); !ok || !v.Is("hi") {
		t.Error("field S is not found")
	}
	if _, ok := table.Get("?"); ok {
		t.Error("a field that is not there is found")
	}
}

// Whatever is received, it is read to its end or refused, and what was read is
// written as it was.
func FuzzParseContent(f *testing.F) {
	p := whole
	f.Add(AppendContent(nil, 3, &p))
	var h Builder
	h.Text("a", "b")
	h.Texts("c", "d")
	f.Add(AppendContent(nil, 0, &Properties{Headers: h.Table()}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		size, p, err := ParseContent(string(payload))
		if err != nil {
			return
		}
		n := 0
		for name, v := range p.Headers.All() {
			n += len(name) + len(v.raw) + 2
			if text, ok := v.Plain(); !ok && (text != "" || v.Kind() == "string") {
				t.Errorf("%s has the text %q, %v", name, text, ok)
			}
		}
		if n != len(p.Headers) {
			t.Errorf("%d bytes of %d were read", n, len(p.Headers))
		}
		again, q, err := ParseContent(string(AppendContent(nil, int(size), &p)))
		if err != nil || q != p || again != size {
			t.Errorf("%+v becomes %+v, %v", p, q, err)
		}
	})
}
