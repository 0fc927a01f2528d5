package wire

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A translator has the library encode and decode messages.
type translator struct {
	publisher  *amqp.Channel
	headers    chan []byte // the payload of each header frame that it has written
	server     *wiretest.Server
	consumer   *amqp.Channel
	deliveries <-chan amqp.Delivery
	tag        uint64
}

func newTranslator(t testing.TB) *translator {
	s, client := wiretest.New(t)
	tr := &translator{server: s, headers: make(chan []byte, 1)}
	s.Handle = func(f wiretest.Frame) bool {
		if f.Type == frameHeader {
			tr.headers <- f.Payload
		}
		return false
	}
	s.Serve()
	library := libraryOn(t, newTransport(client, time.Minute))
	var err error
	if tr.publisher, err = library.Channel(); err != nil {
		t.Fatal(err)
	}
	if tr.consumer, err = library.Channel(); err != nil {
		t.Fatal(err)
	}
	if tr.deliveries, err = tr.consumer.Consume("q", "c", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return tr
}

// encode returns what the library makes of properties.
func (tr *translator) encode(t testing.TB, p amqp.Publishing) []byte {
	t.Helper()
	if err := tr.publisher.Publish("", "q", true, false, p); err != nil {
		t.Fatal(err)
	}
	return <-tr.headers
}

// decode returns what the library reads from a content without a body.
func (tr *translator) decode(content []byte) amqp.Delivery {
	tr.tag++
	m := wiretest.Delivery(2, tr.tag, "c", "q", "", "")
	m[1].Payload = content
	tr.server.Send(m...)
	return <-tr.deliveries
}

// libraryProperties returns properties in the library's form.
func libraryProperties(p Properties, headers amqp.Table) amqp.Publishing {
	l := amqp.Publishing{
		Headers: headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationID, ReplyTo: p.ReplyTo,
		Expiration: p.Expiration, MessageId: p.MessageID, Type: p.Type, AppId: p.AppID,
	}
	if p.Timestamp != 0 {
		l.Timestamp = time.Unix(p.Timestamp, 0)
	}
	return l
}

// checkProperties checks that the library and this package encode the same
// properties to the same bytes, and decode these alike. headers holds at most one
// field: the library writes several in any order.
func checkProperties(t *testing.T, tr *translator, p Properties, headers amqp.Table) {
	t.Helper()
	library := tr.encode(t, libraryProperties(p, headers))
	if ours := appendContent(nil, 0, &p); string(library) != string(ours) {
		t.Errorf("%+v is encoded as\n%q, by the library as\n%q", p, ours, library)
		return
	}
	size, read, err := parseContent(string(library))
	if err != nil || size != 0 || read != p {
		t.Errorf("%+v is read as %+v, %v", p, read, err)
	}
	d := tr.decode(library)
	back := libraryProperties(Properties{
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageID: d.MessageId, Type: d.Type, AppID: d.AppId,
	}, d.Headers)
	back.Timestamp = d.Timestamp
	if want := libraryProperties(p, headers); !reflect.DeepEqual(back, want) {
		t.Errorf("%+v is read by the library as %+v", want, back)
	}
}

// Every property is encoded as the library does it, alone and with the others.
func TestPropertiesAsLibrary(t *testing.T) {
	tr := newTranslator(t)
	one := reflect.ValueOf(allProperties)
	for i := range one.NumField() {
		var p Properties
		reflect.ValueOf(&p).Elem().Field(i).Set(one.Field(i))
		checkProperties(t, tr, p, nil)
	}
	p, headers := allProperties, amqp.Table{"h": "v"}
	var h Builder
	h.Text("h", "v")
	p.Headers = h.Table()
	checkProperties(t, tr, p, headers)
	p = Properties{Type: strings.Repeat("x", 255), Timestamp: 1 << 40}
	checkProperties(t, tr, p, nil)
}

// Every kind of field that this package writes is encoded as the library does
// it.
func TestFieldsAsLibrary(t *testing.T) {
	tr := newTranslator(t)
	for value, add := range map[any]func(*Builder){
		"text":          func(h *Builder) { h.Text("h", "text") },
		"":              func(h *Builder) { h.Text("h", "") },
		int64(-7):       func(h *Builder) { h.Int("h", -7) },
		int64(1) << 40:  func(h *Builder) { h.Int("h", 1<<40) },
		time.Unix(7, 0): func(h *Builder) { h.Time("h", 7) },
	} {
		var h Builder
		add(&h)
		checkProperties(t, tr, Properties{Headers: h.Table()}, amqp.Table{"h": value})
	}
	var h Builder
	h.Texts("h", "a", "", "c")
	checkProperties(t, tr, Properties{Headers: h.Table()}, amqp.Table{"h": []any{"a", "", "c"}})
}

// Every kind of field that the library writes can be read: its integers, texts
// and what is plain have the values that they were given, and a copy of the table
// is the same table to the library.
func TestTablesOfLibrary(t *testing.T) {
	tr := newTranslator(t)
	table := amqp.Table{
		"bool": true, "byte": byte(200), "int8": int8(-3), "int16": int16(-300), "uint16": uint16(60000), "int": -70000, "int32": int32(1 << 20),
		"uint32": uint32(1 << 31), "int64": int64(-1 << 40), "float32": float32(0.5), "float64": 0.25, "decimal": amqp.Decimal{Scale: 2, Value: 345},
		"text": "text", "bytes": []byte("bytes"), "time": time.Unix(7, 0), "null": nil,
		"array": []any{"a", int64(1), amqp.Table{"k": "v"}}, "table": amqp.Table{"k": []any{true}},
	}
	_, p, err := parseContent(string(tr.encode(t, amqp.Publishing{Headers: table})))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	var copied Builder
	for name, v := range p.Headers.All() {
		copied.Value(name, v)
		if text, ok := v.Plain(); ok {
			got[name] = text
		}
		n, isInt := v.Int()
		if want, ok := integer(table[name]); ok != isInt || want != n {
			t.Errorf("%s is the integer %d, %v, want %d, %v", name, n, isInt, want, ok)
		}
	}
	want := make(map[string]string)
	for name, v := range table {
		switch v.(type) {
		case bool, byte, int8, int16, uint16, int, int32, uint32, int64, float32, float64, string:
			want[name] = fmt.Sprint(v)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("plain are %v, want %v", got, want)
	}
	again := tr.decode(appendContent(nil, 0, &Properties{Headers: copied.Table()})).Headers
	table["int"] = int32(-70000) // the library's int has 32 bits
	if !reflect.DeepEqual(again, table) {
		t.Errorf("copied as %v, want %v", again, table)
	}
}

func integer(v any) (int64, bool) {
	switch n := reflect.ValueOf(v); {
	case !n.IsValid():
	case n.CanInt():
		return n.Int(), true
	case n.CanUint():
		return int64(n.Uint()), true
	}
	return 0, false
}

// Whatever the properties, they are encoded as the library does it.
func FuzzPropertiesAsLibrary(f *testing.F) {
	f.Add("application/json", byte(2), byte(0), "id", "pkg.Task", int64(1_700_000_000), "name", "text", int64(3))
	f.Add("", byte(0), byte(9), "", "", int64(0), "", "", int64(-1))
	tr := newTranslator(f)
	f.Fuzz(func(t *testing.T, contentType string, mode, priority byte, id, typ string, timestamp int64, name, text string, n int64) {
		if len(contentType) > maxShort || len(id) > maxShort || len(typ) > maxShort || len(name) > maxShort || timestamp == (time.Time{}).Unix() {
			return // the library refuses what is too long
		}
		p := Properties{ContentType: contentType, DeliveryMode: mode, Priority: priority, MessageID: id, Type: typ, Timestamp: timestamp}
		headers := amqp.Table{name: text}
		var h Builder
		if n%2 == 0 {
			h.Int(name, n)
			headers[name] = n
		} else {
			h.Text(name, text)
		}
		p.Headers = h.Table()
		checkProperties(t, tr, p, headers)
	})
}
