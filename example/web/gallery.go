package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/example/web/pictures"
	"github.com/dtaskhq/dtask/example/web/report"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A gallery is the data folder, which the page and the workers share:
//
//	pictures/ID/   a picture, what its owner calls it, and its thumbnail
//	reports/ID/    the order of a report, and the report
//	mail/ID.eml    the mail of a report
//	lab/ID.json    a task that goes wrong on purpose
//	outcomes/      what became of the tasks
//	tasks.db       the tasks, if no other broker is named
//
// The ID of a picture or a report is also the id of the task that makes it.
type gallery struct{ dir string }

// thumbnailBox is the square, in pixels, that thumbnails fit into.
const thumbnailBox = 320

// openGallery makes the data folder ready.
func openGallery(dir string) (*gallery, error) {
	dir, err := filepath.Abs(dir) // messages carry paths; workers may run elsewhere
	if err != nil {
		return nil, err
	}
	g := &gallery{dir}
	for _, sub := range []string{g.pictures(), g.reports(), g.mail(), g.lab(), string(g.outcomes())} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return nil, fmt.Errorf("data folder: %w", err)
		}
	}
	return g, nil
}

func (g *gallery) pictures() string         { return filepath.Join(g.dir, "pictures") }
func (g *gallery) reports() string          { return filepath.Join(g.dir, "reports") }
func (g *gallery) mail() string             { return filepath.Join(g.dir, "mail") }
func (g *gallery) lab() string              { return filepath.Join(g.dir, "lab") }
func (g *gallery) outcomes() outcome.Folder { return outcome.Folder(filepath.Join(g.dir, "outcomes")) }
func (g *gallery) defaultBroker() string    { return "sqlite:" + filepath.Join(g.dir, "tasks.db") }

// addPicture stores a picture, without checking that it is one, and delays the
// rendering of its thumbnail. It returns what a report needs to know of it.
func (g *gallery) addPicture(ctx context.Context, name string, r io.Reader) (p report.Picture, err error) {
	start := time.Now()
	id := newID()
	folder := filepath.Join(g.pictures(), id)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	p = report.Picture{
		Name:      name,
		Original:  filepath.Join(folder, "original"),
		Thumbnail: filepath.Join(folder, "thumbnail.jpg"),
		Task:      id,
	}
	err = files.Save(p.Original, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	if err != nil {
		return p, err
	}
	if err := files.SaveJSON(pictureFile(folder), p); err != nil {
		return p, err
	}
	_, err = pictures.DelayThumbnail(ctx, pictures.ThumbnailArgs{
		Original:  p.Original,
		Thumbnail: p.Thumbnail,
		Box:       thumbnailBox,
	}, dtask.ID(id))
	if err != nil {
		return p, err
	}
	p.Request = time.Since(start)
	return p, files.SaveJSON(pictureFile(folder), p)
}

// pictureFile returns the file in the folder of a picture that describes it.
func pictureFile(folder string) string { return filepath.Join(folder, "picture.json") }

// newestPictures returns up to limit pictures, the newest first.
func (g *gallery) newestPictures(limit int) ([]report.Picture, error) {
	return newest[report.Picture](g.pictures(), pictureFile, limit)
}

// errAddress is the error of an order without a mail address to send it to.
var errAddress = errors.New("no mail address")

// orderReport delays a report about some pictures, to be mailed to an address.
func (g *gallery) orderReport(ctx context.Context, to string, of []report.Picture) (order report.Order, err error) {
	address, err := netmail.ParseAddress(to)
	if err != nil {
		return order, fmt.Errorf("%w: %q", errAddress, to)
	}
	order = report.Order{ID: newID(), To: address.Address, At: time.Now(), Pictures: of}
	folder := filepath.Join(g.reports(), order.ID)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return order, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	if err := files.SaveJSON(report.OrderFile(folder), order); err != nil {
		return order, err
	}
	_, err = report.DelayWriterWrite(ctx, report.WriterWriteArgs{Folder: folder}, dtask.ID(order.ID))
	return order, err
}

// newestOrders returns up to limit orders of reports, the newest first.
func (g *gallery) newestOrders(limit int) ([]report.Order, error) {
	return newest[report.Order](g.reports(), report.OrderFile, limit)
}

// newest returns what the files in up to limit folders below dir hold, that of
// the newest folder first.
func newest[T any](dir string, file func(folder string) string, limit int) ([]T, error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by time
	if err != nil {
		return nil, err
	}
	slices.Reverse(entries)
	var all []T
	for _, e := range entries {
		var one T
		err := files.LoadJSON(file(filepath.Join(dir, e.Name())), &one)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // still on its way in
		case err != nil:
			return nil, err
		}
		if all = append(all, one); len(all) == limit {
			break
		}
	}
	return all, nil
}

// newID returns an id. Ids sort by time, and cannot be guessed.
func newID() string {
	return fmt.Sprintf("%016x-%s", time.Now().UnixNano(), rand.Text())
}
