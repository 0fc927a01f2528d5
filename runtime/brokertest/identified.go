package brokertest

import (
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var identifiedTests = []test{{"Store", testIdentityStore}}

// A broker says where its messages are: the same in all processes and after a restart,
// and something else in another namespace.
func testIdentityStore(t *testing.T, store Store) {
	url := store(t)
	said := func(url string) string {
		b := openURL(t, url)
		defer b.Close()
		return as[broker.Identified](t, b).Identity().Store
	}
	shop := inNamespace(t, url, "shop")
	first, again, other := said(shop), said(shop), said(inNamespace(t, url, "bank"))
	if first == "" || again != first || other == first {
		t.Errorf("namespace shop: %q and %q, bank: %q", first, again, other)
	}
}
