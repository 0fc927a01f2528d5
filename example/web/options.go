package web

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/mail"
	"os"
	"strings"
	"time"
)

const usage = `usage: example [flags]                  page and worker in one process
       example page [flags]             the page, with the workers elsewhere
       example worker [flags]           a worker
       example once [flags] PICTURE...  the same tasks on files, without a page

Environment:
  DTASK_URL   broker: sqlite:FILE or amqp://HOST (default: a file in the data folder)
  SMTP_ADDR   mail server, host:port (default: mails become .eml files in the data folder)
  SMTP_USER, SMTP_PASSWORD, MAIL_FROM

Flags of "example %s":
`

// options are what the command line says.
type options struct {
	command  string // "", page, worker, child (a worker of the page) or once
	data     string
	addr     string
	to       string
	noWorker bool
	timeout  time.Duration
	files    []string
}

// parseOptions reads the command line. After -h it prints the usage and
// returns [flag.ErrHelp].
func parseOptions(args []string) (o options, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.command, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // a mistake is one line, not followed by the usage
	flags.Usage = func() {
		fmt.Printf(usage, o.command)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.data, "data", "example-data", "`folder` of the pictures, reports, mails and tasks")
	switch o.command {
	case "", "page":
		flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` of the page")
	case "once":
		flags.StringVar(&o.to, "to", "you@example.com", "mail `address` of who gets the report")
		flags.BoolVar(&o.noWorker, "no-worker", false, "leave the tasks to workers elsewhere")
		flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for the tasks")
	case "worker", "child":
	default:
		return o, fmt.Errorf("no command %q; there are page, worker and once", o.command)
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.files = flags.Args()
	_, notAddress := mail.ParseAddress(o.to)
	switch {
	case o.command == "once" && notAddress != nil:
		return o, fmt.Errorf("-to %q is no mail address", o.to)
	case o.command == "once" && len(o.files) == 0:
		return o, errors.New("no picture given: go run ./example once PICTURE")
	case o.command != "once" && len(o.files) > 0:
		return o, fmt.Errorf("unexpected argument %q", o.files[0])
	}
	return o, nil
}
