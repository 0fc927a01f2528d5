package wire

import "testing"

// All kinds of values can be read and copied, as RabbitMQ sends them.
func TestTable(t *testing.T) {
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
func FuzzContent(f *testing.F) {
	p := allProperties
	f.Add(appendContent(nil, 3, &p))
	var h Builder
	h.Text("a", "b")
	h.Texts("c", "d")
	f.Add(appendContent(nil, 0, &Properties{Headers: h.Table()}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		size, p, err := parseContent(string(payload))
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
		again, q, err := parseContent(string(appendContent(nil, int(size), &p)))
		if err != nil || q != p || again != size {
			t.Errorf("%+v becomes %+v, %v", p, q, err)
		}
	})
}
