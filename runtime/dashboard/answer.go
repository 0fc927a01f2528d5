package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A page shows something: it returns what its template needs.
type page func(*visit) (any, error)

// serve answers with a page.
func (d *Dashboard) serve(name, title string, show page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := d.newVisit(w, r)
		if err != nil {
			return
		}
		data, err := show(v)
		v.answer(w, name, title, data, err)
	}
}

// answer answers with a page, or with why there is none.
func (v *visit) answer(w http.ResponseWriter, name, title string, data any, err error) {
	if err != nil {
		title, text := v.failure(title, err)
		status := statusOf(err)
		if status == http.StatusNotFound && v.notes.get(v.r.URL.Query().Get("did")) != nil {
			status = http.StatusOK // the note says what became of the message
		}
		v.fail(w, status, title, text)
		return
	}
	v.render(w, http.StatusOK, name, title, data)
}

// failure returns the title and the text of a page that says why there is no other.
func (v *visit) failure(title string, err error) (string, string) {
	switch {
	case errors.Is(err, broker.ErrNoMessage):
		return v.gone(v.r.PathValue("id"), err)
	case errors.Is(err, errNotYet):
		return title, "The broker is still being asked. What it says appears here."
	}
	return title, sentence(err)
}

// statusOf returns the status of a page that says why there is no other.
func statusOf(err error) int {
	switch {
	case errors.Is(err, broker.ErrNoMessage):
		return http.StatusNotFound
	case errors.Is(err, broker.ErrUnsupported), errors.Is(err, errNotYet):
		return http.StatusOK // it says what the broker is like, or is not whole yet
	}
	return http.StatusBadGateway
}

// An act changes something. It returns what to tell of it, and the page to go to.
type act func(*visit) (said, to string, err error)

// does answers a form: who may, does it, and sees on the next page what came of it.
func (d *Dashboard) does(needs Acts, do act) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if v, ok := d.allowed(w, r, needs); ok {
			said, to, err := do(v)
			v.tell(w, said, to, err)
		}
	}
}

// shows answers a form with a page, which is in no address then.
func (d *Dashboard) shows(needs Acts, name, title string, show page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if v, ok := d.allowed(w, r, needs); ok {
			data, err := show(v)
			v.answer(w, name, title, data, err)
		}
	}
}

// allowed begins a visit of somebody who sends a form, or answers why that is not allowed.
func (d *Dashboard) allowed(w http.ResponseWriter, r *http.Request, needs Acts) (*visit, bool) {
	v, err := d.newVisit(w, r)
	if err != nil {
		return nil, false
	}
	v.patient()
	if !v.access.Has(needs) {
		v.refuse(w, needs)
		return nil, false
	}
	if err := r.ParseForm(); err != nil {
		v.fail(w, http.StatusBadRequest, "Not understood", "The form is too large, or not as a page sends it.")
		return nil, false
	}
	return v, true
}

func (v *visit) refuse(w http.ResponseWriter, needs Acts) {
	v.fail(w, http.StatusForbidden, "Not allowed", "You may look here, but not "+actWords[needs]+".")
}

// tell goes to a page that tells what came of an act.
func (v *visit) tell(w http.ResponseWriter, said, to string, err error) {
	v.looks.changed()
	n := note{Good: err == nil, Text: said, Who: v.user(), At: v.now}
	if err != nil {
		n.Text = sentence(err)
	}
	v.redirect(w, withQuery(to, "did", v.notes.put(n)))
}

// withQuery adds to the query of a page.
func withQuery(page, name, value string) string {
	if strings.Contains(page, "?") {
		return page + "&" + name + "=" + value
	}
	return page + "?" + name + "=" + value
}

// sentence returns an error for people: one line, and no passwords.
func sentence(err error) string {
	const most = 500
	return printable.Cut(printable.Masked(printable.Text(err.Error(), "")), most)
}
