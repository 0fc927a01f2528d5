package dashboard_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

var queueRowID = regexp.MustCompile(`<tr role="row" id="queue-([a-z]+)">`)

// The heads of tables sort them, by links, and the order stays while the page is open.
func TestSorting(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	for range 3 {
		w.send("ana@example.com")
	}
	w.thumbnail("a.png")
	w.thumbnail("b.png")
	w.charge("paid")
	for range 2 {
		w.charge("later", dtask.In(time.Hour))
	}
	for _, c := range []struct{ address, rows, sorted string }{
		{"queues", "mail images billing", ""},
		{"queues?sort=-waiting", "mail images billing", `aria-sort="descending"><a href="?sort=waiting">Waiting`},
		{"queues?sort=waiting", "billing images mail", `aria-sort="ascending"><a href="?sort=-waiting">Waiting`},
		{"queues?sort=queue", "billing images mail", `aria-sort="ascending"><a href="?sort=-queue">Queue`},
		{"queues?sort=-queue", "mail images billing", `aria-sort="descending"><a href="?sort=queue">Queue`},
		{"queues?sort=-delayed", "billing mail images", `aria-sort="descending"><a href="?sort=delayed">Delayed`},
		{"queues?sort=nonsense", "mail images billing", ""},
		{"queues?other=1&sort=%3Cb%3E", "mail images billing", ""},
	} {
		page := w.get(200, c.address)
		var rows []string
		for _, m := range queueRowID.FindAllStringSubmatch(page, -1) {
			rows = append(rows, m[1])
		}
		if !slices.Equal(rows, strings.Fields(c.rows)) {
			t.Errorf("%s has rows %v, want %s", c.address, rows, c.rows)
		}
		if n := strings.Count(page, "aria-sort"); n > 1 || (n == 0) != (c.sorted == "") || !strings.Contains(page, c.sorted) {
			t.Errorf("%s: %d heads say that they sort, want %s", c.address, n, c.sorted)
		}
		if _, query, _ := strings.Cut(c.address, "?"); query != "" && !strings.Contains(page, `live/queues?`+strings.ReplaceAll(query, "&", "&amp;")) {
			t.Errorf("%s goes on in another order", c.address)
		}
	}
	if page := w.get(200, "queues?other=1"); !strings.Contains(page, `href="?other=1&amp;sort=queue"`) {
		t.Error("what else the address says is gone from the heads")
	}
	for _, address := range []string{"workers?sort=-up", "catalogue?sort=-queue", "dead?sort=-newest"} {
		w.get(200, address)
	}
}
