package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A found is what somebody has typed to select messages.
type found struct {
	Text  string
	Error string // why it is no selection
	Near  string // what was probably meant, or ""
	s     selection.Selection
}

// errSealed: the URL has a selection that this process cannot read.
var errSealed = errors.New("the selection in this address is of another process, or of before a restart; type it again")

// find returns the selection in the URL of the page.
func (v *visit) find() found {
	query := v.r.URL.Query()
	f := found{Text: query.Get("q")}
	if sealed := query.Get("s"); sealed != "" {
		text, ok := v.seal.open(sealed)
		if !ok {
			f.Error = errSealed.Error()
			return f
		}
		f.Text = text
	}
	var err error
	if f.s, err = selection.Parse(f.Text); err != nil {
		f.wrong(err)
	}
	return f
}

// wrong says what is wrong with the selection.
func (f *found) wrong(err error) {
	f.Error, f.Near = sentence(err), mended(f.Text, err)
}

var meant = regexp.MustCompile(`"([^"]+)"; did you mean ([^ ?]+)\?`)

// bare is a word that is no term. People type the names of tasks so.
var bare = regexp.MustCompile(`"([^"]+)" has no operator`)

// mended returns a selection with the word in it that was meant, as its error says.
func mended(text string, err error) string {
	if m := bare.FindStringSubmatch(err.Error()); m != nil && strings.Contains(text, m[1]) {
		return strings.Replace(text, m[1], "task~"+m[1], 1)
	}
	m := meant.FindStringSubmatch(err.Error())
	if m == nil || !strings.Contains(text, m[1]) {
		return ""
	}
	return strings.Replace(text, m[1], m[2], 1)
}

// query returns the query of a URL that holds a selection: sealed, if it tells of the
// arguments of messages.
func (v *visit) query(text string) string {
	s, err := selection.Parse(text)
	if err != nil || s.WithoutArguments() != s.String() || s.Without("error").String() != s.String() {
		return "s=" + v.seal.close(text)
	}
	return "q=" + url.QueryEscape(s.String())
}

var (
	fullID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	tailID = regexp.MustCompile(`^…?([0-9a-f]{12})$`)
)

// toMessages takes the form that finds messages: by a selection, or by an id or its end, as
// pages show it.
func (d *Dashboard) toMessages(w http.ResponseWriter, r *http.Request) {
	v, err := d.newVisit(w, r)
	if err != nil {
		return
	}
	text := strings.TrimSpace(r.PostFormValue("q"))
	page := "messages"
	if r.PostFormValue("page") == "dead" {
		page = "dead"
	}
	switch end := tailID.FindStringSubmatch(text); {
	case fullID.MatchString(text):
		v.redirect(w, "message/"+text)
		return
	case end != nil:
		text = "id:*" + end[1]
	case text == "":
		v.redirect(w, page)
		return
	}
	v.redirect(w, page+"?"+v.query(text))
}
