// Package report writes reports about pictures, as a table and as a document,
// and has them mailed.
package report

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/example/web/pictures"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

//go:generate go tool dtaskgen

// An Order says what a report is about. It is a file in the folder of the
// report; messages carry only the folder.
type Order struct {
	ID       string // of the task that writes the report; names its folder
	To       string // who gets the report by mail
	At       time.Time
	Pictures []Picture
}

// A Picture is a picture to report on.
type Picture struct {
	Name      string // what its owner calls it
	Original  string // file
	Thumbnail string // file, there once it is rendered
	Task      string // id of the task that renders it

	Request time.Duration // how long its owner waited: for storing it and for Delay
}

// OrderFile returns where the order of the report in a folder is.
func OrderFile(folder string) string { return filepath.Join(folder, "order.json") }

// CSVFile returns where the report in a folder is, as a table.
func CSVFile(folder string) string { return filepath.Join(folder, "report.csv") }

// PDFFile returns where the report in a folder is, as a document.
func PDFFile(folder string) string { return filepath.Join(folder, "report.pdf") }

// MailID returns the id of the task that mails the report.
func (o Order) MailID() string { return "mail-" + o.ID }

// A Writer writes reports.
type Writer struct {
	// Outcomes tells which thumbnails are still to come.
	Outcomes outcome.Folder
}

// patience is how long a report waits for thumbnails. After it, the report
// says which ones are missing.
const patience = 10 * time.Minute

// Write writes the report that is ordered in a folder, and delays the mail
// that takes it to its reader. While thumbnails are still being rendered, it
// asks to be run again later; that costs no attempt.
//
//dtask:task queue=reports retries=3 backoff=2s timeout=1m
func (w *Writer) Write(ctx context.Context, folder string) error {
	var order Order
	if err := files.LoadJSON(OrderFile(folder), &order); err != nil {
		return err
	}
	lines, complete, err := w.collect(order.Pictures)
	if err != nil {
		return err
	}
	if !complete && time.Since(order.At) < patience {
		return dtask.Snooze(200 * time.Millisecond)
	}
	date := order.At.Format("2 January 2006, 15:04")
	err = files.Save(CSVFile(folder), func(w io.Writer) error { return writeCSV(w, lines) })
	if err != nil {
		return err
	}
	err = files.Save(PDFFile(folder), func(w io.Writer) error { return writePDF(w, date, lines) })
	if err != nil {
		return err
	}
	return delayMail(ctx, folder, order, date)
}

// delayMail enqueues the mail under an id that follows from the report's, so
// that a second run sends no second mail where the broker can tell.
func delayMail(ctx context.Context, folder string, order Order, date string) error {
	letter := mail.Letter{
		ID:      order.ID,
		To:      order.To,
		Subject: "Your report of " + date,
		Text:    "Here is the report that you asked for, as a document and as a table.\n",
		Files:   []string{PDFFile(folder), CSVFile(folder)},
	}
	_, err := mail.DelayMailerSend(ctx, mail.MailerSendArgs{Letter: letter}, dtask.ID(order.MailID()))
	if errors.Is(err, dtask.ErrDuplicate) {
		return nil // the first run has enqueued it
	}
	return err
}

// A line is what a report says of a picture.
type line struct {
	name      string
	picture   pictures.Picture
	thumbnail string // file; empty if there is none
	small     pictures.Size
	problem   string // why there is no thumbnail
}

// collect returns the lines of a report, and whether no thumbnail is still to
// come.
func (w *Writer) collect(ordered []Picture) (lines []line, complete bool, err error) {
	complete = true
	for _, p := range ordered {
		thumbnail, err := w.Outcomes.Of(p.Task)
		if err != nil {
			return nil, false, err
		}
		l := line{name: p.Name}
		l.picture, _ = pictures.Inspect(p.Original) // on an error the thumbnail has failed, too
		if thumbnail.Done {
			small, err := pictures.Inspect(p.Thumbnail)
			if err != nil {
				return nil, false, err
			}
			l.thumbnail, l.small = p.Thumbnail, small.Size
		} else {
			l.problem = cmp.Or(thumbnail.Error, "no thumbnail in time")
			complete = complete && thumbnail.Failed
		}
		lines = append(lines, l)
	}
	return lines, complete, nil
}

func writeCSV(w io.Writer, lines []line) error {
	table := csv.NewWriter(w)
	table.Write([]string{"picture", "format", "width", "height", "bytes", "thumbnail", "problem"})
	for _, l := range lines {
		row := []string{plainCell(l.name), "", "", "", "", "", l.problem}
		if p := l.picture; p.Format != "" {
			copy(row[1:], []string{p.Format, strconv.Itoa(p.Size.Width), strconv.Itoa(p.Size.Height), strconv.FormatInt(p.Bytes, 10)})
		}
		if l.thumbnail != "" {
			row[5] = l.small.String()
		}
		table.Write(row)
	}
	table.Flush()
	return table.Error() // of any of the writes
}

// plainCell keeps a spreadsheet from running a file name as a formula
// (https://owasp.org/www-community/attacks/CSV_Injection).
func plainCell(s string) string {
	if strings.IndexAny(s, "=+-@\t\r") == 0 {
		return "'" + s
	}
	return s
}
