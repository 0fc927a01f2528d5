package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Letter is what is to be sent. Files are paths: the message of a task
// carries where the data is, not the data.
type Letter struct {
	ID      string // the same whenever the letter is sent again
	To      string
	Subject string
	Text    string
	Files   []string
}

// compose returns the letter as a mail message (RFC 5322) in parts (RFC 2046):
// the text, then the files.
func compose(from, to *mail.Address, l Letter) ([]byte, error) {
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	for _, h := range [][2]string{
		{"From", from.String()},
		{"To", to.String()},
		{"Subject", mime.QEncoding.Encode("utf-8", l.Subject)},
		{"Date", time.Now().Format(time.RFC1123Z)},
		{"Message-ID", "<" + l.ID + "@dtask.example>"},
		{"MIME-Version", "1.0"},
		{"Content-Type", mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": parts.Boundary()})},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")

	if err := addText(parts, l.Text); err != nil {
		return nil, err
	}
	for _, file := range l.Files {
		if err := addFile(parts, file); err != nil {
			return nil, err
		}
	}
	if err := parts.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func addText(parts *multipart.Writer, text string) error {
	part, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {"text/plain; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	w := quotedprintable.NewWriter(part)
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Close()
}

// contentTypes has the types of the files that are sent. The mime package
// would ask the operating system, and get another answer on each.
var contentTypes = map[string]string{
	".csv": "text/csv; charset=utf-8",
	".pdf": "application/pdf",
}

func addFile(parts *multipart.Writer, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	part, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {contentTypes[filepath.Ext(file)]},
		"Content-Disposition":       {mime.FormatMediaType("attachment", map[string]string{"filename": filepath.Base(file)})},
		"Content-Transfer-Encoding": {"base64"},
	})
	if err != nil {
		return err
	}
	// Lines of a message have at most 78 characters (RFC 5322, section 2.1.1).
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(data)), 76) {
		if _, err := fmt.Fprintf(part, "%s\r\n", line); err != nil {
			return err
		}
	}
	return nil
}
