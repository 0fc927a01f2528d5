package schema_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	s := parse(t, "to string\nn int8, as string, may be absent\nlist []*User\nby map[int]map[string]bool\nraw JSON of x.T\nip text of net/netip.Addr\n"+
		"pair [2]float64\ntree map[string]^1\nin {d time.Duration; b base64}\nUser.name string\nUser.boss *User\nUser.friends []map[string]*User\nUser.born time.Time")
	const want = `{"to":"text","n":"1","list":[{"name":"text","boss":null,"friends":[],"born":"2026-01-02T03:04:05Z"}],"by":{"1":{"text":true}},` +
		`"raw":null,"ip":"text","pair":[1.5,1.5],"tree":{},"in":{"d":1000000000,"b":"dGV4dA=="}}`
	if got := string(s.Sample()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A sample is a value of its schema, whatever that is.
func TestSampleDecodes(t *testing.T) {
	for seed := range uint64(300) {
		s := (&generator{rng: rand.New(rand.NewPCG(seed, 0))}).schema()
		d := json.NewDecoder(strings.NewReader(string(s.Sample())))
		d.DisallowUnknownFields()
		if err := d.Decode(reflect.New(goStruct(s.Fields)).Interface()); err != nil {
			t.Fatalf("%s\nof %q: %v", s.Sample(), s.Lines(), err)
		}
	}
}
