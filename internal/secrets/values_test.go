package secrets

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestWithout(t *testing.T) {
	values := Values([]byte(`{"a":"sesame","b":[4711,"se\"same!",true,null,"ab"]}`))
	if want := []string{"sesame", "4711", "se\"same!", "ab"}; !slices.Equal(values, want) {
		t.Errorf("values %q", values)
	}
	if got, want := Without(`x=sesame y="se\"same!" 4711 tabs`, values), `x=*** y="***" *** tabs`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := Without("a", nil); got != "a" {
		t.Errorf("%q", got)
	}
}

// Bytes and times are found as they are printed, and not only as they travel.
func TestWithoutForms(t *testing.T) {
	key, born := []byte("key=7\x00\xff"), time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	args := struct {
		Key  []byte
		Born time.Time
	}{key, born}
	body, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%v %s %x %q %s %s %s", key, key, key, key, born, born.UTC(), body)
	if got, want := Without(text, Values(body)), `*** *** *** "***" *** *** {"Key":"***","Born":"***"}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
