package dashboard

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

const (
	// liveEvery is how often an open page is made anew. What it shows comes from the looks
	// that all pages share.
	liveEvery = time.Second

	// authorizeEvery is how often it is asked whether somebody may still look.
	authorizeEvery = 10 * time.Second

	// livePatience is how long a browser may take to receive a page.
	livePatience = 10 * time.Second
)

// stream sends a page again whenever it has changed, as server-sent events, while it is
// open.
func (d *Dashboard) stream(name, title string, show page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/live") // links are relative to the page
		access, err := d.access(r)
		if err != nil {
			http.Error(w, "no access", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")                  // by proxies
		http.NewResponseController(w).SetReadDeadline(time.Time{}) // not every server can
		asked := time.Now()
		tick := time.NewTicker(liveEvery)
		defer tick.Stop()
		for last := []byte(nil); ; {
			now := time.Now()
			v := &visit{Dashboard: d, r: r, access: access, now: now, until: now.Add(d.patience), live: true}
			if page := v.body(name, title, show); !bytes.Equal(page, last) {
				if sendEvent(w, page) != nil {
					return // the browser has gone
				}
				last = page
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			case <-d.ctx.Done():
				return
			}
			if time.Since(asked) > authorizeEvery {
				if access, err = d.access(r); err != nil {
					return
				}
				asked = time.Now()
			}
		}
	}
}

// body returns what a page shows now, or why there is nothing.
func (v *visit) body(name, title string, show page) []byte {
	data, err := show(v)
	if err != nil {
		title, text := v.failure(title, err)
		name, data = "fail", text
		return v.execute("app", v.frame(name, title, data))
	}
	return v.execute("app", v.frame(name, title, data))
}

// sendEvent sends a message to the browser.
func sendEvent(w http.ResponseWriter, text []byte) error {
	c := http.NewResponseController(w)
	c.SetWriteDeadline(time.Now().Add(livePatience)) // not every server can
	var message bytes.Buffer
	for line := range bytes.Lines(text) {
		message.WriteString("data: ")
		message.Write(bytes.TrimRight(line, "\r\n"))
		message.WriteByte('\n')
	}
	message.WriteByte('\n')
	if _, err := w.Write(message.Bytes()); err != nil {
		return err
	}
	return c.Flush()
}
