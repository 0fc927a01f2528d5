package web

import (
	"bytes"
	"context"
	"image"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// servePage serves the page of an empty gallery, with a worker in this process.
func servePage(t *testing.T) (*httptest.Server, *gallery) {
	t.Helper()
	g, err := openGallery(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	client, err := openClient(t.Context(), g.defaultBroker())
	if err != nil {
		t.Fatal(err)
	}
	mailer, err := mail.FromEnvironment(g.mail())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- worker(client, g, mailer, slog.New(slog.DiscardHandler))(ctx) }()

	admin, err := client.Admin()
	if err != nil {
		t.Fatal(err)
	}
	board, err := newBoard(client, g, mailer)
	if err != nil {
		t.Fatal(err)
	}
	page := (&page{g, admin, board}).handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(w, r.WithContext(dtask.NewContext(r.Context(), client)))
	}))
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		board.Close()
		client.Close()
	})
	return server, g
}

func TestPage(t *testing.T) {
	server, g := servePage(t)
	if body := get(t, server.URL+"/", http.StatusOK); !strings.Contains(body, "No pictures yet.") {
		t.Errorf("an empty gallery shows\n%s", body)
	}

	upload(t, server.URL, http.StatusOK, file{"mountains.jpg", "testdata/mountains.jpg"},
		file{"<b>bold.png", "testdata/planet.png"}, file{"gallery.go", "gallery.go"})
	state := settled(t, server.URL)
	for _, want := range []string{"mountains.jpg", "&lt;b&gt;bold.png", "gallery.go", "not a JPEG, PNG or GIF picture"} {
		if !strings.Contains(state, want) {
			t.Errorf("the page does not show %q:\n%s", want, state)
		}
	}
	thumbnails := regexp.MustCompile(`src="(/pictures/[^"]+)"`).FindAllStringSubmatch(state, -1)
	if len(thumbnails) != 2 {
		t.Fatalf("%d thumbnails, want 2, in\n%s", len(thumbnails), state)
	}
	for _, m := range thumbnails {
		picture, format, err := image.Decode(strings.NewReader(get(t, server.URL+m[1], http.StatusOK)))
		if err != nil || format != "jpeg" || max(picture.Bounds().Dx(), picture.Bounds().Dy()) != thumbnailBox {
			t.Errorf("%s: %s, %v", m[1], format, err)
		}
	}

	post(t, server.URL, "you@example.com", http.StatusOK)
	state = settled(t, server.URL)
	id := regexp.MustCompile(`href="/reports/([^/]+)/report.pdf"`).FindStringSubmatch(state)
	if id == nil || !strings.Contains(state, "Report on 3 pictures") || !strings.Contains(state, "Mail to you@example.com") {
		t.Fatalf("no report in\n%s", state)
	}
	folder := filepath.Join(g.reports(), id[1])
	checkPDF(t, filepath.Join(folder, "report.pdf"), 2)
	if got := get(t, server.URL+"/reports/"+id[1]+"/report.pdf", http.StatusOK); got != string(read(t, filepath.Join(folder, "report.pdf"))) {
		t.Error("another PDF file is served")
	}
	if got := get(t, server.URL+"/reports/"+id[1]+"/report.csv", http.StatusOK); !strings.Contains(got, "gallery.go,,,,,,\"not a JPEG") {
		t.Errorf("the picture that failed is not in the table:\n%s", got)
	}
	letter := get(t, server.URL+"/reports/"+id[1]+"/mail.eml", http.StatusOK)
	checkMail(t, []byte(letter), filepath.Join(folder, "report.pdf"), filepath.Join(folder, "report.csv"))
}

func TestPageRefuses(t *testing.T) {
	server, g := servePage(t)
	if body := post(t, server.URL, "you@example.com", http.StatusBadRequest); !strings.Contains(body, "Please upload a picture first") {
		t.Errorf("a report on nothing:\n%s", body)
	}
	if body := upload(t, server.URL, http.StatusBadRequest); !strings.Contains(body, "Please choose at least one picture.") {
		t.Errorf("an upload of nothing:\n%s", body)
	}
	upload(t, server.URL, http.StatusOK, file{"../../../x\u200b.gif", "testdata/waves.gif"})
	if body := post(t, server.URL, "nobody", http.StatusBadRequest); !strings.Contains(body, "Please enter a mail address.") {
		t.Errorf("a report to nobody:\n%s", body)
	}
	if state := settled(t, server.URL); !strings.Contains(state, `<p title="x.gif">x.gif</p>`) {
		t.Errorf("the name of the file is not cleaned:\n%s", state)
	}

	large := filepath.Join(t.TempDir(), "large.gif")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxUpload); err != nil {
		t.Fatal(err)
	}
	upload(t, server.URL, http.StatusRequestEntityTooLarge, file{"large.gif", large})
	if folders, err := os.ReadDir(g.pictures()); err != nil || len(folders) != 1 {
		t.Errorf("after an upload that is too large there are %d pictures, want the 1 before; %v", len(folders), err)
	}

	for _, path := range []string{"/pictures/none/thumbnail.jpg", "/tasks.db", "/pictures/", "/page/page.html"} {
		get(t, server.URL+path, http.StatusNotFound)
	}
	get(t, server.URL+"/pictures/..%2fpictures/thumbnail.jpg", http.StatusBadRequest)
	r, err := http.NewRequest("POST", server.URL+"/reports", strings.NewReader("to=you@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://elsewhere.example")
	send(t, r, http.StatusForbidden)
}

// settled waits until the page shows that no task is pending, and returns its
// state.
func settled(t *testing.T, page string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		state := get(t, page+"/state", http.StatusOK)
		if !strings.Contains(state, "data-pending") {
			return state
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatalf("tasks are still pending:\n%s", state)
		}
	}
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, r, status)
}

func post(t *testing.T, page, to string, status int) string {
	t.Helper()
	r, err := http.NewRequest("POST", page+"/reports", strings.NewReader(url.Values{"to": {to}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(t, r, status)
}

// A file is uploaded under a name.
type file struct{ name, path string }

func upload(t *testing.T, page string, status int, files ...file) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range files {
		part, err := form.CreateFormFile("pictures", f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.Write(read(t, f.path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", page+"/pictures", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return send(t, r, status)
}

// send sends a request, follows redirects, and returns the body of the answer.
func send(t *testing.T, r *http.Request, status int) string {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("%s %s: %s, want %d\n%s", r.Method, r.URL.Path, answer.Status, status, body)
	}
	return string(body)
}
