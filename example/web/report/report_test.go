package report

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/example/web/mail"
	"github.com/dtaskhq/dtask/example/web/outcome"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// The report waits for a thumbnail, whatever becomes of it, and is mailed once
// even if it is written twice.
func TestWriteWaitsForThumbnails(t *testing.T) {
	dir := t.TempDir()
	writer := &Writer{Outcomes: outcome.Folder(dir)}
	w := dtasktest.NewWorker(t, Tasks(writer), mail.Tasks(new(mail.Mailer)))
	ctx := w.Context(t.Context())
	order := Order{ID: "r1", To: "you@example.com", At: time.Now(), Pictures: []Picture{{Name: "x.png", Original: "none", Task: "p1"}}}
	if err := files.SaveJSON(OrderFile(dir), order); err != nil {
		t.Fatal(err)
	}
	if _, err := DelayWriterWrite(ctx, WriterWriteArgs{Folder: dir}); err != nil {
		t.Fatal(err)
	}

	if step, _ := w.Step(); step.Outcome.Kind != dtask.OutcomeSnoozed {
		t.Fatalf("without the thumbnail: %v, want snoozed", step.Outcome.Kind)
	}
	note := outcome.Folder(dir).Middleware(slog.New(slog.DiscardHandler))(func(context.Context, *dtask.Message) dtask.Outcome {
		return dtask.Outcome{Kind: dtask.OutcomeDead, Err: io.ErrUnexpectedEOF}
	})
	note(ctx, &dtask.Message{ID: "p1"})
	w.Advance(time.Second)
	if step, _ := w.Step(); step.Outcome.Kind != dtask.OutcomeDone {
		t.Fatalf("after the thumbnail failed: %v %v, want executed", step.Outcome.Kind, step.Outcome.Err)
	}
	table, err := os.ReadFile(CSVFile(dir))
	if err != nil || !strings.HasSuffix(string(table), "\nx.png,,,,,,unexpected EOF\n") {
		t.Errorf("table %q, %v", table, err)
	}
	if err := writer.Write(ctx, dir); err != nil {
		t.Errorf("written again: %v", err)
	}
	if mails := dtasktest.Delayed(t, w.Recorder, mail.MailerSendTask); len(mails) != 1 || mails[0].Letter.To != order.To {
		t.Errorf("mails %+v, want 1", mails)
	}
}

func TestCSVHasNoFormulas(t *testing.T) {
	var b strings.Builder
	if err := writeCSV(&b, []line{{name: "=1+1"}, {name: "a=b"}}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "\n'=1+1,") || !strings.Contains(got, "\na=b,") {
		t.Errorf("table\n%s", got)
	}
}

func TestPDFPagesAndText(t *testing.T) {
	lines := make([]line, rowsPerPage+1)
	lines[0].name = `a(b)\ é 漢`
	lines[1].name = strings.Repeat("long ", 100)
	var b bytes.Buffer
	if err := writePDF(&b, "today", lines); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(a\(b\)\\ ` + "\xe9 ?) Tj", "(Page 1 of 2) Tj", "(Page 2 of 2) Tj", "/Count 2 "} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("the document has no %q", want)
		}
	}
	if bytes.Contains(b.Bytes(), []byte(strings.Repeat("long ", 20))) {
		t.Error("a long name runs off the page")
	}
}
