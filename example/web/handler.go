package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// maxUpload is how many bytes may be uploaded at once.
const maxUpload = 64 << 20

//go:embed page
var web embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"milliseconds": func(d time.Duration) string { return d.Round(time.Millisecond).String() },
}).ParseFS(web, "page/*.html"))

// A page is the web page. It stores what is uploaded, delays the tasks, and
// shows what has become of them; it does none of their work.
type page struct {
	gallery *gallery
	admin   broker.Admin
	board   http.Handler // below /tasks
}

// listen takes an address, and returns the part that serves the page there.
func listen(addr string, g *gallery, client *dtask.Client, mailer *mail.Mailer) (part, error) {
	admin, err := client.Admin()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if op := new(net.OpError); errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("cannot serve on %s: %w; -addr takes another address", addr, err)
	}
	board, err := newBoard(client, g, mailer)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	server := &http.Server{
		Handler:           (&page{g, admin, board}).handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
	}
	return func(ctx context.Context) error {
		fmt.Printf("page    http://%s\ntasks   http://%s/tasks/\n", l.Addr(), l.Addr())
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(l) }()
		select {
		case err := <-failed:
			board.Close()
			return err
		case <-ctx.Done():
			board.Close() // ends its open pages
			stopping, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return server.Shutdown(stopping)
		}
	}, nil
}

func (p *page) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show("page.html"))
	mux.HandleFunc("GET /state", p.show("state.html"))
	mux.HandleFunc("POST /pictures", p.upload)
	mux.HandleFunc("POST /samples", p.addSamples)
	mux.HandleFunc("POST /reports", p.order)
	mux.HandleFunc("POST /stumble", p.try("stumble"))
	mux.HandleFunc("POST /crash", p.try("crash"))
	mux.HandleFunc("POST /mistake", p.try("mistake"))
	mux.Handle("/tasks/", http.StripPrefix("/tasks", p.board))
	mux.HandleFunc("GET /code/{file...}", showCode)
	for _, file := range []string{"style.css", "page.js", "icon.svg"} {
		mux.HandleFunc("GET /"+file, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, web, "page/"+file)
		})
	}
	mux.HandleFunc("GET /pictures/{id}/thumbnail.jpg", p.file("pictures/%s/thumbnail.jpg"))
	mux.HandleFunc("GET /reports/{id}/report.pdf", p.file("reports/%s/report.pdf"))
	mux.HandleFunc("GET /reports/{id}/report.csv", p.file("reports/%s/report.csv"))
	mux.HandleFunc("GET /reports/{id}/mail.eml", p.file("mail/%s.eml"))
	return http.NewCrossOriginProtection().Handler(guarded(mux))
}

// guarded keeps the browser from running, as part of the page, anything that
// was uploaded.
func guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// show renders a template with the state of the gallery.
func (p *page) show(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.render(w, r, http.StatusOK, name, "")
	}
}

// upload takes pictures.
func (p *page) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
	added, err := p.addPictures(r)
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		p.refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("Please upload at most %d MB at once.", maxUpload>>20))
	case errors.Is(err, errForm):
		p.refuse(w, r, http.StatusBadRequest, "The upload arrived damaged. Please try again.")
	case err != nil:
		p.fail(w, r, err)
	case added == 0:
		p.refuse(w, r, http.StatusBadRequest, "Please choose at least one picture.")
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// errForm is the error of a request that is not a form.
var errForm = errors.New("no form")

// addPictures adds the files of a form to the gallery, as they come in. The tasks
// find out what they are.
func (p *page) addPictures(r *http.Request) (added int, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errForm, err)
	}
	for {
		file, err := parts.NextPart()
		if err == io.EOF {
			return added, nil
		}
		if err != nil {
			return added, fmt.Errorf("%w: %w", errForm, err)
		}
		if file.FileName() == "" {
			continue
		}
		if _, err := p.gallery.addPicture(r.Context(), displayName(file.FileName()), file); err != nil {
			return added, err
		}
		added++
	}
}

// displayName returns the client's name of a file as it can be shown. It is never
// the name of a file here.
func displayName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, path.Base(strings.ToValidUTF8(name, "?")))
	if runes := []rune(name); len(runes) > 80 {
		name = string(runes[:80]) + "…"
	}
	return name
}

// order takes the order of a report.
func (p *page) order(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 10<<10)
	shown, err := p.gallery.newestPictures(shownPictures)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if len(shown) == 0 {
		p.refuse(w, r, http.StatusBadRequest, "Please upload a picture first: there is nothing to report on.")
		return
	}
	_, err = p.gallery.orderReport(r.Context(), r.FormValue("to"), shown)
	switch {
	case errors.Is(err, errAddress):
		p.refuse(w, r, http.StatusBadRequest, "Please enter a mail address.")
	case err != nil:
		p.fail(w, r, err)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// file serves a file that a task has written, and no other: an id that is not the
// name of a folder is not found.
func (p *page) file(pattern string) http.HandlerFunc {
	files := os.DirFS(p.gallery.dir)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=3600")
		http.ServeFileFS(w, r, files, fmt.Sprintf(pattern, r.PathValue("id")))
	}
}

// refuse tells the user what to do instead.
func (p *page) refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	p.render(w, r, status, "page.html", message)
}

// fail tells the user that the page has failed, and logs the reason.
func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	p.render(w, r, http.StatusInternalServerError, "page.html", "That did not work. The log of the page says why.")
}

func (p *page) render(w http.ResponseWriter, r *http.Request, status int, name, message string) {
	v, err := p.view(r.Context())
	if err != nil {
		slog.Error("page not shown", "err", err)
		http.Error(w, "The gallery cannot be read. The log of the page says why.", http.StatusInternalServerError)
		return
	}
	v.Message = message
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := templates.ExecuteTemplate(w, name, v); err != nil {
		slog.Debug("page not sent whole", "err", err) // the browser has gone
	}
}
