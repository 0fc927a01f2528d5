package web

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/example/web/lab"
	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// An experiment is a task that goes wrong on purpose.
type experiment struct {
	ID   string
	Kind string // stumble, crash or mistake
	At   time.Time
}

// Title says what the task does.
func (e experiment) Title() string {
	switch e.Kind {
	case "crash":
		return "A task that kills its worker"
	case "mistake":
		return "A mail to a wrong address"
	}
	return "A task that fails twice"
}

// experimentFile returns the file that describes an experiment; newest passes the
// path without its end.
func experimentFile(path string) string { return path }

// newestExperiments returns up to limit experiments, the newest first.
func (g *gallery) newestExperiments(limit int) ([]experiment, error) {
	return newest[experiment](g.lab(), experimentFile, limit)
}

// experiment delays a task that goes wrong on purpose.
func (g *gallery) experiment(ctx context.Context, kind string) error {
	e := experiment{ID: newID(), Kind: kind, At: time.Now()}
	file := filepath.Join(g.lab(), e.ID+".json")
	if err := files.SaveJSON(file, e); err != nil {
		return err
	}
	var err error
	switch kind {
	case "stumble":
		_, err = lab.DelayStumble(ctx, lab.StumbleArgs{}, dtask.ID(e.ID))
	case "crash":
		_, err = lab.DelayLabCrash(ctx, lab.LabCrashArgs{}, dtask.ID(e.ID))
	case "mistake":
		letter := mail.Letter{ID: e.ID, To: "ann at example.com", Subject: "Hello", Text: "This letter had a wrong address. Somebody has mended it."}
		_, err = mail.DelayMailerSend(ctx, mail.MailerSendArgs{Letter: letter}, dtask.ID(e.ID))
	default:
		err = fmt.Errorf("no experiment %q", kind)
	}
	if err != nil {
		os.Remove(file)
	}
	return err
}

// try takes the click on one of the buttons.
func (p *page) try(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := p.gallery.experiment(r.Context(), kind); err != nil {
			p.fail(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// samples are pictures for those who have none at hand.
//
//go:embed testdata/*.jpg testdata/*.png testdata/*.gif
var samples embed.FS

// addSamples adds the samples as if they were uploaded.
func (p *page) addSamples(w http.ResponseWriter, r *http.Request) {
	entries, err := samples.ReadDir("testdata")
	if err != nil {
		p.fail(w, r, err)
		return
	}
	for _, e := range entries {
		f, err := samples.Open("testdata/" + e.Name())
		if err != nil {
			p.fail(w, r, err)
			return
		}
		_, err = p.gallery.addPicture(r.Context(), e.Name(), f)
		f.Close()
		if err != nil {
			p.fail(w, r, err)
			return
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// code has the sources of the tasks, for the page to show what it has just run.
//
//go:embed pictures/thumbnail.go report/report.go mail/mailer.go lab/lab.go
var code embed.FS

func showCode(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.ServeFileFS(w, r, code, r.PathValue("file"))
}
