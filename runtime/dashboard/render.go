package dashboard

import (
	"bytes"
	"net/http"
)

// render answers with a page in its frame.
func (v *visit) render(w http.ResponseWriter, status int, name, title string, data any) {
	f := v.frame(name, title, data)
	if status == http.StatusNotFound {
		f.Live = "" // there will be nothing
	}
	page := v.execute("frame", f)
	if page == nil {
		http.Error(w, "the page could not be written; the log of the server says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(page) // fails only if the browser has gone
}

// execute writes a part of a page, or returns nil if that cannot be done.
func (v *visit) execute(part string, f frame) []byte {
	var page bytes.Buffer
	if err := templates()[f.Page].ExecuteTemplate(&page, part, f); err != nil {
		v.log.Error("dashboard: a page could not be written", "page", f.Page, "err", err)
		return nil
	}
	return page.Bytes()
}

// fail answers with a page that says what is wrong.
func (v *visit) fail(w http.ResponseWriter, status int, title, text string) {
	v.render(w, status, "fail", title, text)
}
