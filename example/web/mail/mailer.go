// Package mail sends letters with attachments: by SMTP, or into a folder.
package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

//go:generate go tool dtaskgen

// A Mailer sends letters. The worker hands its own to [Mailer.Send]: passwords
// and connections never travel in a message.
type Mailer struct {
	from     *mail.Address
	server   string // host:port; empty if there is none
	user     string // empty if the server asks for no log-in
	password string
	folder   string // where letters go if there is no server
}

// FromEnvironment returns the mailer that SMTP_ADDR (host:port), SMTP_USER,
// SMTP_PASSWORD and MAIL_FROM describe. Without SMTP_ADDR letters become .eml
// files in the folder.
func FromEnvironment(folder string) (*Mailer, error) {
	from, err := mail.ParseAddress(cmp.Or(os.Getenv("MAIL_FROM"), "dtask example <example@localhost>"))
	if err != nil {
		return nil, fmt.Errorf("MAIL_FROM=%s is no mail address", os.Getenv("MAIL_FROM"))
	}
	server := os.Getenv("SMTP_ADDR")
	if _, _, err := net.SplitHostPort(server); server != "" && err != nil {
		return nil, fmt.Errorf("SMTP_ADDR=%s is not host:port", server)
	}
	return &Mailer{from, server, os.Getenv("SMTP_USER"), os.Getenv("SMTP_PASSWORD"), folder}, os.MkdirAll(folder, 0o700)
}

// String says where letters go.
func (m *Mailer) String() string {
	if m.server != "" {
		return "by " + m.server
	}
	return "as files in " + m.folder
}

// Send sends a letter. If the worker dies in between it may send it twice; the
// two have the same Message-ID, so that mail programs can tell. A letter that
// the mail server refuses is not retried.
//
//dtask:task queue=mail retries=5 backoff=2s timeout=30s
func (m *Mailer) Send(ctx context.Context, letter Letter) error {
	log := dtask.Logger(ctx)
	to, err := mail.ParseAddress(letter.To)
	if err != nil {
		log.Warn("the address of the letter cannot be read", "err", err)
		return dtask.Permanent(fmt.Errorf("%q is no mail address", letter.To))
	}
	message, err := compose(m.from, to, letter)
	if err != nil {
		return err
	}
	log.Info("sending the letter", "bytes", len(message), "files", len(letter.Files))
	if m.server != "" {
		return m.deliver(ctx, to, message)
	}
	return files.Save(File(m.folder, letter.ID), func(w io.Writer) error {
		_, err := w.Write(message)
		return err
	})
}

// File returns where a letter is if it was not sent by a mail server.
func File(folder, id string) string { return filepath.Join(folder, filepath.Base(id)+".eml") }

// deliver hands a message to the mail server.
func (m *Mailer) deliver(ctx context.Context, to *mail.Address, message []byte) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Package smtp knows no contexts: the end of ours ends the connection.
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	err = m.converse(conn, to, message)
	reply := new(textproto.Error)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &reply) && reply.Code >= 500: // RFC 5321, section 4.2.1
		return dtask.Permanent(fmt.Errorf("the mail server refuses: %w", err))
	}
	return err
}

// converse speaks SMTP, encrypted if the server can.
func (m *Mailer) converse(conn net.Conn, to *mail.Address, message []byte) error {
	host, _, err := net.SplitHostPort(m.server)
	if err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{ServerName: host}); err != nil {
			return err
		}
	}
	if m.user != "" {
		if err := c.Auth(smtp.PlainAuth("", m.user, m.password, host)); err != nil {
			return err
		}
	}
	if err := c.Mail(m.from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to.Address); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	c.Quit() // the server has taken the message; what follows does not matter
	return nil
}
