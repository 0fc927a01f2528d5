package dashboard

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/operate"
)

// A visit is one request of somebody.
type visit struct {
	*Dashboard
	r      *http.Request
	access Access
	now    time.Time
	until  time.Time // it waits for answers of the broker
	live   bool      // the page is sent again and again
	blind  bool      // whoever asks may see nothing

	pending bool // the page is not whole yet: it is to be asked for again
}

// newVisit begins a visit. After an error it has answered.
func (d *Dashboard) newVisit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	access, err := d.access(r)
	now := time.Now()
	v := &visit{Dashboard: d, r: r, access: access, now: now, until: now.Add(d.patience), blind: err != nil}
	switch {
	case errors.Is(err, errNoToken):
		d.gate.ask(v, w, "")
	case err != nil:
		v.fail(w, http.StatusForbidden, "No access", "You may not look at this page.")
	}
	return v, err
}

// patient lets a visit wait for the broker: what it answers with does not follow later.
func (v *visit) patient() { v.until = v.now.Add(askPatience) }

// ctx is the context of the request. What is changed in it is kept with the name of who
// asks.
func (v *visit) ctx() context.Context {
	host := v.r.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return operate.As(v.r.Context(), v.user(), strings.Trim(host, "[]"))
}

func (v *visit) user() string {
	if v.access.User == "" {
		return "somebody at the dashboard"
	}
	return v.access.User
}

// root is the dashboard's own beginning, relative to the page: whatever prefix it is
// under, and whatever proxy before it has another one.
func (v *visit) root() string {
	depth := strings.Count(strings.TrimPrefix(v.r.URL.Path, "/"), "/")
	if depth == 0 {
		return "./"
	}
	return strings.Repeat("../", depth)
}

// redirect sends the visitor to another page of the dashboard. http.Redirect would take
// the path without its prefix for the whole one.
func (v *visit) redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", v.root()+to)
	w.WriteHeader(http.StatusSeeOther)
}
