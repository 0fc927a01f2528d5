package lock

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// An Error says what is wrong with a file.
type Error struct {
	Line int // from 1
	Text string
	Hint string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s; %s", File, e.Line, e.Text, e.Hint) }

const restore = "restore it from version control, and run dtaskgen"

func flaw(line int, format string, args ...any) *Error {
	return &Error{line, fmt.Sprintf(format, args...), restore}
}

// Read reads a lock. What a person or a merge has broken is an [*Error], except
// for the marks of a conflict: then both sides are read, and joined, as of today.
func Read(text []byte, today string) (*Lock, error) {
	if !conflicted(text) {
		return read(text)
	}
	ours, theirs := sides(text)
	a, err := read(ours)
	if err != nil {
		return nil, err
	}
	b, err := read(theirs)
	if err != nil {
		return nil, err
	}
	return join(a, b, today), nil
}

// A reader reads a lock line by line.
type reader struct {
	lock    *Lock
	task    *Task
	history *History
	version *Version
	lines   []string // of version
}

func read(text []byte) (*Lock, error) {
	r := &reader{lock: new(Lock)}
	format := false
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line := strings.TrimRight(string(line), "\r\n")
		switch {
		case strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "":
		case !format:
			if err := checkFormat(n, line); err != nil {
				return nil, err
			}
			format = true
		default:
			if err := r.line(n, line); err != nil {
				return nil, err
			}
		}
	}
	if err := r.endVersion(); err != nil {
		return nil, err
	}
	switch {
	case n > 0 && !format:
		return nil, flaw(n, "it ends before its first line")
	case n > 0 && r.lock.Module == "":
		return nil, flaw(n, "it has no module")
	}
	return r.lock, r.complete()
}

func checkFormat(n int, line string) error {
	number, ok := strings.CutPrefix(line, File+" ")
	v, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil:
		return flaw(n, "this is no %s: it begins with %q", File, clip(line))
	case v > version:
		return &Error{n, fmt.Sprintf("a newer dtaskgen wrote it (format %d, this one knows %d)", v, version), `run "go get github.com/dtaskhq/dtask@latest"`}
	}
	return nil
}

// line reads a line after the first.
func (r *reader) line(n int, line string) error {
	if text, ok := strings.CutPrefix(line, "\t\t"); ok {
		if r.version == nil {
			return flaw(n, "a field belongs to no version")
		}
		r.lines = append(r.lines, text)
		return nil
	}
	if err := r.endVersion(); err != nil {
		return err
	}
	if text, ok := strings.CutPrefix(line, "\t"); ok {
		return r.property(n, text)
	}
	key, value, _ := strings.Cut(line, " ")
	switch {
	case key == "module" && value != "" && r.lock.Module == "" && len(r.lock.Tasks) == 0:
		r.lock.Module, r.lock.Was, _ = strings.Cut(value, " was ")
		r.lock.line = n
	case key == "opaque" && len(r.lock.Tasks) == 0:
		v, name, ok := strings.Cut(value, " ")
		if !ok || r.lock.Opaque[name] != "" {
			return flaw(n, "%q says no version of a type, or says it again", clip(line))
		}
		if r.lock.Opaque == nil {
			r.lock.Opaque = make(map[string]string)
		}
		r.lock.Opaque[name] = v
	case key == "task" && value != "":
		if r.lock.Task(value) != nil {
			return flaw(n, "task %s is there twice", clip(value))
		}
		r.task = &Task{Name: value, line: n}
		r.lock.Tasks = append(r.lock.Tasks, r.task)
	default:
		return flaw(n, "%q is neither a module nor a task", clip(line))
	}
	return nil
}

// property reads a line of a task.
func (r *reader) property(n int, text string) error {
	if r.task == nil {
		return flaw(n, "%q belongs to no task", clip(text))
	}
	key, value, _ := strings.Cut(text, " ")
	switch {
	case value == "":
	case key == "package" && r.task.Package == "":
		r.task.Package = value
		return nil
	case key == "queue" && r.task.Queue == "":
		r.task.Queue = value
		return nil
	case key == "was":
		r.task.Was = append(r.task.Was, value)
		return nil
	case key == "gone":
		r.task.Gone = value
		return nil
	case key == "args":
		return r.beginVersion(n, &r.task.Args, value)
	case key == "result":
		return r.beginVersion(n, &r.task.Result, value)
	}
	return flaw(n, "%q says nothing about a task", clip(text))
}

var versionLine = regexp.MustCompile(`^v([1-9][0-9]{0,8}) ([0-9a-f]{16})(?: left ([0-9-]+))?(?: after ([0-9a-f]+))?$`)

func (r *reader) beginVersion(n int, h *History, text string) error {
	m := versionLine.FindStringSubmatch(text)
	if m == nil {
		return flaw(n, "%q is no version", clip(text))
	}
	number, _ := strconv.Atoi(m[1])
	for _, other := range *h {
		switch {
		case other.N == number:
			return flaw(n, "v%d is there twice", number)
		case other.Fingerprint == m[2]:
			return flaw(n, "fingerprint %s is there twice", m[2])
		}
	}
	r.history, r.lines = h, nil
	r.version = &Version{N: number, Fingerprint: m[2], Left: m[3], After: m[4], line: n}
	return nil
}

// endVersion takes in a version, all of whose lines are read.
func (r *reader) endVersion() error {
	v := r.version
	if v == nil {
		return nil
	}
	r.version = nil
	s, err := schema.Parse(r.lines)
	if err != nil {
		return flaw(v.line, "the fields of v%d cannot be read: %v", v.N, err)
	}
	if got := s.Fingerprint(); got != v.Fingerprint {
		return flaw(v.line, "the fields of v%d were changed by hand: their fingerprint is %s, not %s", v.N, got, v.Fingerprint)
	}
	v.Schema = s
	*r.history = append(*r.history, v)
	return nil
}

// complete looks for what is missing, as in a file that was cut off.
func (r *reader) complete() error {
	for _, t := range r.lock.Tasks {
		switch {
		case t.Package == "":
			return flaw(t.line, "task %s has no package", t.Name)
		case t.Queue == "":
			return flaw(t.line, "task %s has no queue", t.Name)
		case t.Args.Present() == nil:
			return flaw(t.line, "task %s has no present args", t.Name)
		}
		for _, h := range []History{t.Args, t.Result} {
			if n := len(h) - len(h.Earlier()); n > 1 {
				return flaw(t.line, "task %s has %d present versions", t.Name, n)
			}
		}
	}
	return nil
}

// clip returns the beginning of a line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
