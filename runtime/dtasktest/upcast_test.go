package dtasktest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

type (
	parcelV1 struct {
		Grams int64 `json:"grams"`
	}
	parcel struct {
		Kilos float64 `json:"kilos"`
	}
)

var ship = dtask.Define[parcel, dtask.None]("shop.Ship", dtask.Spec{
	Schema: "v2",
	Earlier: []dtask.Earlier{{Schema: "v1", Upcast: dtask.Upcast(func(old parcelV1) (parcel, error) {
		return parcel{float64(old.Grams) / 1000}, nil
	})}},
})

func TestUpcast(t *testing.T) {
	if got := dtasktest.Upcast(t, ship, "v1", `{"grams":1500}`); got != (parcel{1.5}) {
		t.Errorf("%+v", got)
	}
	if got := dtasktest.Upcast(t, ship, "v2", `{"kilos":2}`); got != (parcel{2}) {
		t.Errorf("%+v", got)
	}
	for _, schema := range []string{"v1", "v3"} {
		failed := &failures{TB: t}
		func() {
			defer func() { _ = recover() }()
			dtasktest.Upcast(failed, ship, schema, `{"kilos":1}`)
		}()
		if !strings.Contains(failed.text, "shop.Ship does not run a message of schema "+schema) {
			t.Errorf("schema %s: %q", schema, failed.text)
		}
	}
}

// failures keeps what a test says when it fails, and goes on.
type failures struct {
	testing.TB
	text string
}

func (f *failures) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic("the test ends")
}
