//go:build unix

package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A ledger is the file in which the processes of a trial note what they do.
// Each line is one write at the end of the file: what was noted survives the
// process.
type ledger struct {
	file *os.File
	name string // of the process, first on each line
}

func ledgerFile(dir string) string { return filepath.Join(dir, "ledger") }

// openLedger opens the ledger of a trial to write.
func openLedger(dir, name string) (*ledger, error) {
	f, err := os.OpenFile(ledgerFile(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &ledger{f, name}, err
}

// An event is a kind of line of a ledger.
type event string

const (
	attempted event = "attempted" // to enqueue; noted before the call
	confirmed event = "confirmed" // Delay returned nil; with the microseconds it took
	unknown   event = "unknown"   // Delay returned ErrUnknownOutcome
	failed    event = "failed"    // Delay returned another error; with the error
	started   event = "started"   // an attempt to execute; with its number
	executed  event = "executed"  // with the milliseconds since it was due, and the number of the attempt
)

// note writes a line. If that fails the process ends, because nothing could be
// proved any more.
func (l *ledger) note(e event, id string, detail any) {
	line := fmt.Sprintf("%s %s %s %v", l.name, e, id, detail)
	if _, err := l.file.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n"); err != nil {
		panic(err)
	}
}

// A record is what a ledger says so far.
type record struct {
	file    *os.File
	rest    []byte           // of a line that is not whole
	outcome map[string]event // of each id attempted: attempted, if none is known
	errs    []string
	worst   time.Duration       // of the confirmed
	starts  map[string][]int    // attempt numbers, in order
	runs    map[string][]string // by which processes, at which attempts
	early   int                 // executed before due
	open    int                 // confirmed and not executed
}

// openRecord opens the ledger of a trial to read.
func openRecord(dir string) (*record, error) {
	f, err := os.Open(ledgerFile(dir))
	return &record{
		file:    f,
		outcome: make(map[string]event),
		starts:  make(map[string][]int),
		runs:    make(map[string][]string),
	}, err
}

// update reads what was added, and reports whether there was anything.
func (r *record) update() (news bool, err error) {
	buf := make([]byte, 1<<20)
	for {
		n, err := r.file.Read(buf)
		if n == 0 {
			return news, ignoreEOF(err)
		}
		news = true
		r.rest = append(r.rest, buf[:n]...)
		for {
			line, rest, ok := bytes.Cut(r.rest, []byte("\n"))
			if !ok {
				break
			}
			r.rest = rest
			if err := r.add(string(line)); err != nil {
				return true, err
			}
		}
	}
}

func (r *record) add(line string) error {
	by, rest, _ := strings.Cut(line, " ")
	e, rest, _ := strings.Cut(rest, " ")
	id, detail, _ := strings.Cut(rest, " ")
	number := func() int64 {
		n, err := strconv.ParseInt(detail, 10, 64)
		if err != nil {
			panic(fmt.Sprintf("ledger: %q", line))
		}
		return n
	}
	switch event(e) {
	case attempted:
		r.outcome[id] = attempted
	case confirmed:
		r.outcome[id] = confirmed
		r.worst = max(r.worst, time.Duration(number())*time.Microsecond)
		if len(r.runs[id]) == 0 {
			r.open++
		}
	case unknown:
		r.outcome[id] = unknown
	case failed:
		r.outcome[id] = failed
		r.errs = append(r.errs, detail)
	case started:
		r.starts[id] = append(r.starts[id], int(number()))
	case executed:
		late, attempt, _ := strings.Cut(detail, " ")
		detail = late
		if r.runs[id] = append(r.runs[id], by+" at attempt "+attempt); len(r.runs[id]) == 1 && r.outcome[id] == confirmed {
			r.open--
		}
		if number() < 0 {
			r.early++
		}
	default:
		return fmt.Errorf("ledger: %q", line)
	}
	return nil
}

// ignoreEOF: more may come.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
