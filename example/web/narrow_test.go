package web

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// The frame is as wide as a small phone; a window of Chromium is wider than that.
// The page in it notes outside how wide its content is.
const (
	frame   = `<!doctype html><iframe src="/page" style="border: 0; width: 320px; height: 800px"></iframe>`
	measure = `addEventListener("load", () => {
		parent.document.body.dataset.wide = document.documentElement.scrollWidth;
	});`
)

// The page of a small phone, 320 pixels wide, does not scroll sideways.
func TestNarrow(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		skip.Test(t, "needs chromium")
	}
	server, _ := servePage(t)
	for _, click := range []string{"/samples", "/stumble"} {
		r, err := http.NewRequest("POST", server.URL+click, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(t, r, http.StatusOK)
	}
	settled(t, server.URL)
	measured := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/measure.js":
			w.Header().Set("Content-Type", "text/javascript")
			w.Write([]byte(measure))
		case "/":
			w.Write([]byte(frame))
		case "/page":
			html := get(t, server.URL+"/", http.StatusOK)
			w.Write([]byte(strings.Replace(html, "</head>", `<script src="/measure.js"></script></head>`, 1)))
		default:
			w.Header().Set("Content-Type", map[bool]string{true: "text/css"}[strings.HasSuffix(r.URL.Path, ".css")])
			w.Write([]byte(get(t, server.URL+r.URL.Path, http.StatusOK)))
		}
	}))
	defer measured.Close()

	out, err := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu",
		"--user-data-dir="+t.TempDir(), "--dump-dom", measured.URL).Output()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`data-wide="(\d+)"`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("nothing measured:\n%s", out)
	}
	if wide, _ := strconv.Atoi(string(m[1])); wide > 320 {
		t.Errorf("the page is %d pixels wide", wide)
	}
}
