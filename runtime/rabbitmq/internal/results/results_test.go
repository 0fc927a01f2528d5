package results

import (
	"errors"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

func TestEntry(t *testing.T) {
	on := func(nonce string) record { return record{kind: accepted, nonce: nonce} }
	outcome := func(kind kind, body string, keep time.Duration) record {
		return record{kind: kind, task: "t", body: []byte(body), expires: time.Now().Add(keep)}
	}
	executed := outcome(done, "7", time.Hour)
	failed := outcome(dead, `[{"attempt":3,"error":"no"}]`, time.Hour)
	for _, c := range []struct {
		name    string
		records []record
		want    string // "none", "pending", or the value or error
	}{
		{"never there", nil, "none"},
		{"on its way", []record{on("a")}, "pending"},
		{"executed", []record{on("a"), executed}, "7"},
		{"executed, and accepted twice by a fault", []record{on("a"), executed, on("a")}, "7"},
		{"of a producer that records nothing", []record{executed}, "7"},
		{"among the dead letters", []record{on("a"), failed}, "no"},
		{"retried from there", []record{on("a"), failed, on("b")}, "pending"},
		{"and executed", []record{on("a"), failed, on("b"), executed}, "7"},
		{"expired", []record{on("a"), outcome(done, "7", -time.Second)}, "none"},
		{"malformed", []record{on("a"), outcome(dead, "{", time.Hour)}, "the record of the failure is malformed"},
		{"of a later version", []record{on("a"), executed, {kind: "archived"}}, "7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := make(map[string]entry) // by how the records are read
			for i := range c.records {
				r := &c.records[i]
				r.id, r.offset = "id", int64(i)
				whole["at once"] = whole["at once"].add(r)
				whole["one by one"] = whole["one by one"].followedBy(entry{}.add(r))
				whole["twice"] = whole["twice"].followedBy(whole["at once"])
			}
			for how, e := range whole {
				if e.kind != whole["at once"].kind || e.offset != whole["at once"].offset {
					t.Errorf("%s: %+v, want %+v", how, e, whole["at once"])
				}
			}
			e := whole["at once"]
			var r broker.Result
			err := broker.ErrNoResult
			if e.record != nil {
				r, err = e.record.outcome()
			}
			var got string
			switch {
			case e.kind == accepted:
				got = "pending"
			case errors.Is(err, broker.ErrNoResult):
				got = "none"
			case r.Failure != nil:
				got = r.Failure.Error
			default:
				got = string(r.Value)
			}
			if got != c.want {
				t.Errorf("outcome: %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestUUIDTime(t *testing.T) {
	// The example of RFC 9562, appendix A.6.
	got, ok := uuidTime("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
	if want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC); !ok || !got.Equal(want) {
		t.Errorf("uuidTime: %v, %v, want %v", got, ok, want)
	}
	for _, id := range []string{
		"", "never", "017F22E2-79B0-4CC3-98C4-DC0C0C07398F", "017F22E2-79B0-7CC3-98C4-DC0C0C07398",
		"g17F22E2-79B0-7CC3-98C4-DC0C0C07398F", "00000000-0000-7000-8000-000000000000",
	} {
		if got, ok := uuidTime(id); ok {
			t.Errorf("uuidTime(%q) = %v, want none", id, got)
		}
	}
}

// Whatever a record holds, decoding it returns.
func FuzzDecode(f *testing.F) {
	h := encode(accepted, "id", "t", time.Now(), nil).Headers
	f.Add(string(h), "t", "id", []byte("{}"))
	f.Fuzz(func(_ *testing.T, headers, task, id string, body []byte) {
		rec := decode(&wire.Delivery{Properties: wire.Properties{Headers: wire.Table(headers), Type: task, MessageID: id}, Body: body})
		rec.result()
	})
}
