package dashboard_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/dtaskhq/dtask/internal/testenv/browser"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// shotsEnv names a folder for pictures of what the tests see.
const shotsEnv = "DTASK_SHOTS"

// chromium is the browser of all tests, which TestMain closes.
var chromium struct {
	once sync.Once
	*browser.Browser
	err error
}

// A tab is a page in a browser that looks at a world.
type tab struct {
	*browser.Page
	w      *world
	clicks int // since the person began something
}

func (w *world) browse() *tab {
	w.t.Helper()
	if _, err := browser.Path(); err != nil {
		skip.Test(w.t, err)
	}
	chromium.once.Do(func() { chromium.Browser, chromium.err = browser.Start() })
	if chromium.err != nil {
		w.t.Fatal(chromium.err)
	}
	p, err := chromium.Page()
	b := &tab{Page: p, w: w}
	b.must(err)
	b.must(b.Look(1280, 900, false))
	return b
}

func (b *tab) must(err error) {
	b.w.t.Helper()
	if err != nil {
		b.w.t.Fatal(err)
	}
}

func (b *tab) open(path string) {
	b.w.t.Helper()
	b.must(b.Open(b.w.page + path))
}

// click clicks at something that leads to another page.
func (b *tab) click(selector, text string) {
	b.w.t.Helper()
	b.clicks++
	b.must(b.Follow(selector, text))
}

// press clicks at something that changes the page it is on.
func (b *tab) press(selector, text string) {
	b.w.t.Helper()
	b.clicks++
	b.must(b.Click(selector, text))
}

func (b *tab) enter(selector, text string) {
	b.w.t.Helper()
	b.must(b.Type(selector, text))
}

// sees waits until the page says all of these, one after the other, without being loaded
// again.
func (b *tab) sees(parts ...string) {
	b.w.t.Helper()
	brokertest.Eventually(b.w.t, func() string {
		var html string
		if err := b.Eval("document.querySelector('main').outerHTML", &html); err != nil {
			return err.Error()
		}
		return missing(html, parts...)
	})
}

// shows waits until the mark at the top says that the page is live, or that the broker is
// away.
func (b *tab) shows(what string) {
	b.w.t.Helper()
	brokertest.Eventually(b.w.t, func() string {
		var text string
		if err := b.Eval("document.getElementById('live').textContent", &text); err != nil || text != what {
			return fmt.Sprintf("%q, %v", text, err)
		}
		return ""
	})
}

// quiet fails if the console has said anything.
func (b *tab) quiet() {
	b.w.t.Helper()
	if said := b.Complaints(); len(said) > 0 {
		for i := range said {
			said[i] = fmt.Sprintf("%.400s", said[i])
		}
		b.w.t.Errorf("the console says:\n%s", strings.Join(said, "\n"))
	}
}

// done fails if somebody needed more than five clicks for something.
func (b *tab) done(what string) {
	b.w.t.Helper()
	if b.clicks > 5 {
		b.w.t.Errorf("%s takes %d clicks", what, b.clicks)
	}
	b.clicks = 0
	b.quiet()
}

// shoot keeps a picture of the window, if somebody wants one.
func (b *tab) shoot(name string) {
	b.w.t.Helper()
	if dir := os.Getenv(shotsEnv); dir != "" {
		png, err := b.Picture()
		b.must(err)
		b.must(os.WriteFile(filepath.Join(dir, name+".png"), png, 0o666))
	}
}

// axe is the source of axe-core, which finds what some people cannot use.
var axe = sync.OnceValues(func() (string, error) {
	f, err := os.Open("testdata/axe/axe.min.js.gz")
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(z)
	return string(text), err
})

// accessible fails if axe-core finds something on the page, or if it scrolls sideways.
func (b *tab) accessible(what string) {
	b.w.t.Helper()
	source, err := axe()
	b.must(err)
	b.must(b.Eval(source+";0", nil))
	var found []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	b.must(b.Eval(`axe.run({resultTypes: ["violations"]}).then(r => r.violations)`, &found))
	for _, v := range found {
		text, _ := json.MarshalIndent(v.Nodes, "", " ") // it was JSON
		b.w.t.Errorf("%s: %s, %s:\n%.1500s", what, v.ID, v.Help, text)
	}
	var wide int
	b.must(b.Eval("document.documentElement.scrollWidth - innerWidth", &wide))
	if wide > 0 {
		b.w.t.Errorf("%s scrolls sideways by %d pixels", what, wide)
	}
}

var notInNames = regexp.MustCompile(`\W+`)

// A view is the width of a window, and whether its owner likes it dark.
type view struct {
	width int
	dark  bool
}

// views are all that somebody is to like.
var views = []view{{1280, false}, {1280, true}, {360, false}, {360, true}}

// lookAt opens pages and looks at each in some views.
func (b *tab) lookAt(in []view, paths ...string) {
	b.w.t.Helper()
	system, _, _ := strings.Cut(b.w.url, ":")
	for _, view := range in {
		b.must(b.Look(view.width, 900, view.dark))
		theme := map[bool]string{false: "light", true: "dark"}[view.dark]
		for _, path := range paths {
			b.open(path)
			what := fmt.Sprintf("%s-%s-%s-%d", system, notInNames.ReplaceAllString(path, "-"), theme, view.width)
			b.accessible(what)
			b.shoot(what)
		}
	}
	b.must(b.Look(1280, 900, false))
	b.quiet()
}
