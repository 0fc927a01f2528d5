package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
)

// errNoToken: somebody has not said the token yet.
var errNoToken = errors.New("no token")

const (
	// cookie holds that a browser has said the token, and who sits there.
	cookie = "dtask-dashboard"

	// keepCookie is how long the token need not be said again.
	keepCookie = 12 * time.Hour

	// wrongToken is how long a wrong token takes, for those who try many.
	wrongToken = time.Second

	maxUser = 60 // characters
)

// A gate asks for the token. A browser gets a cookie, which is signed with the token, so
// that another process with the same token takes it too; a script sends the token as a
// bearer's.
type gate struct {
	token string
	guess chan struct{} // holds one who has tried a wrong token
	log   *slog.Logger
}

func newGate(c Config, log *slog.Logger) gate {
	return gate{token: c.Token, guess: make(chan struct{}, 1), log: log}
}

// access returns who asks, by cookie or header.
func (g *gate) access(r *http.Request) (Access, error) {
	if said, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && g.same(said) {
		return Access{User: "by token", May: Everything}, nil
	}
	if c, err := r.Cookie(cookie); err == nil {
		if user, ok := g.read(c.Value, time.Now()); ok {
			return Access{User: user + ", by token", May: Everything}, nil
		}
	}
	return Access{}, errNoToken
}

func (g *gate) same(said string) bool {
	a, b := sha256.Sum256([]byte(said)), sha256.Sum256([]byte(g.token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// write returns the value of a cookie for a user: its end, the user, and both signed.
func (g *gate) write(user string, end time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(end.Unix()))
	text = append(text, user...)
	return base64.RawURLEncoding.EncodeToString(append(g.sign(text), text...))
}

// read returns the user in the value of a cookie, if it is one of ours and not over.
func (g *gate) read(value string, now time.Time) (user string, ok bool) {
	const head = sha256.Size + 8
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) < head || !hmac.Equal(raw[:sha256.Size], g.sign(raw[sha256.Size:])) {
		return "", false
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(raw[sha256.Size:])), 0)
	return string(raw[head:]), now.Before(end)
}

func (g *gate) sign(text []byte) []byte {
	h := hmac.New(sha256.New, []byte("dtask dashboard: "+g.token))
	h.Write(text)
	return h.Sum(nil)
}

// ask shows the form that asks for the token.
func (g *gate) ask(v *visit, w http.ResponseWriter, complaint string) {
	v.render(w, http.StatusUnauthorized, "token", "Sign in", complaint)
}

// enter takes the form that ask shows.
func (d *Dashboard) enter(w http.ResponseWriter, r *http.Request) {
	v := &visit{Dashboard: d, r: r, now: time.Now(), blind: true}
	if d.config.Token == "" {
		v.fail(w, http.StatusNotFound, "No such page", "There is no token to say here.")
		return
	}
	if !d.gate.same(r.PostFormValue("token")) {
		d.gate.delay(r)
		d.gate.ask(v, w, "This is not the token.")
		return
	}
	user := printable.Cut(printable.Text(strings.TrimSpace(r.PostFormValue("user")), ""), maxUser)
	if user == "" {
		user = "somebody"
	}
	end := v.now.Add(keepCookie)
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: d.gate.write(user, end), Path: "/", Expires: end,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	v.redirect(w, "")
}

// leave forgets the token.
func (d *Dashboard) leave(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	(&visit{Dashboard: d, r: r}).redirect(w, "")
}

// delay lets one wrong token through in a while, however many try at once.
func (g *gate) delay(r *http.Request) {
	g.log.Warn("dashboard: a wrong token", "from", r.RemoteAddr)
	timer := time.NewTimer(wrongToken)
	defer timer.Stop()
	select {
	case g.guess <- struct{}{}:
		defer func() { <-g.guess }()
	case <-r.Context().Done():
		return
	}
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
