package main

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/dtaskhq/dtask/internal/scan"
)

// A printer prints what was found, with paths relative to dir.
type printer struct {
	dir  string
	json bool
	out  io.Writer
}

// diagnostics prints each as file:line:col: message, followed by the chain to
// the culprit and the hint.
func (p *printer) diagnostics(diags []*scan.Diagnostic) {
	for _, d := range diags {
		if p.json {
			p.object(p.diagnosticJSON(d))
			continue
		}
		message := d.Message
		if d.Warning {
			message = "warning: " + message
		}
		fmt.Fprintf(p.out, "%s: %s\n", p.position(d.Pos), message)
		for _, s := range d.Chain {
			if s.Pos.IsValid() {
				fmt.Fprintf(p.out, "\t%s: %s\n", p.position(s.Pos), s.Text)
			} else {
				fmt.Fprintf(p.out, "\t%s\n", s.Text)
			}
		}
		if d.Hint != "" {
			fmt.Fprintf(p.out, "\thint: %s\n", d.Hint)
		}
	}
}

func (p *printer) position(pos token.Position) string {
	pos.Filename = p.relative(pos.Filename)
	return pos.String()
}

// relative returns a path from the current directory, if that is shorter.
func (p *printer) relative(path string) string {
	if rel, err := filepath.Rel(p.dir, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

type stepJSON struct {
	Position string `json:"position,omitempty"`
	Text     string `json:"text"`
}

type diagnosticJSON struct {
	File     string     `json:"file"`
	Line     int        `json:"line"`
	Column   int        `json:"column"`
	Severity string     `json:"severity"`
	Code     scan.Code  `json:"code"`
	Message  string     `json:"message"`
	Chain    []stepJSON `json:"chain,omitempty"`
	Hint     string     `json:"hint,omitempty"`
}

func (p *printer) diagnosticJSON(d *scan.Diagnostic) diagnosticJSON {
	j := diagnosticJSON{
		File:     p.relative(d.Pos.Filename),
		Line:     d.Pos.Line,
		Column:   d.Pos.Column,
		Severity: "error",
		Code:     d.Code,
		Message:  d.Message,
		Hint:     d.Hint,
	}
	if d.Warning {
		j.Severity = "warning"
	}
	for _, s := range d.Chain {
		step := stepJSON{Text: s.Text}
		if s.Pos.IsValid() {
			step.Position = p.position(s.Pos)
		}
		j.Chain = append(j.Chain, step)
	}
	return j
}

// object prints a JSON object on a line.
func (p *printer) object(v any) {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // the objects are plain
	}
}

type taskJSON struct {
	Name     string `json:"name"`
	Queue    string `json:"queue"`
	Retries  int    `json:"retries"`
	Timeout  string `json:"timeout"` // "0s" means none
	Backoff  string `json:"backoff"`
	Priority string `json:"priority"`
	Keep     string `json:"keep"` // "0s" means not
	Cron     string `json:"cron,omitempty"`
	Schema   string `json:"schema"`
	Function string `json:"function"`
	Position string `json:"position"`
}

// tasks prints a table of the tasks, or a JSON object for each.
func (p *printer) tasks(pkgs []*scan.Package) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	if !p.json {
		fmt.Fprintln(w, "TASK\tQUEUE\tRETRIES\tTIMEOUT\tBACKOFF\tPRIORITY\tCRON\tPOSITION")
	}
	for _, pkg := range pkgs {
		for _, t := range pkg.Tasks {
			o := t.Options
			if p.json {
				fn := t.Func
				if t.Receiver != nil {
					fn = t.Receiver.Type + "." + fn
				}
				p.object(taskJSON{
					t.Name, o.Queue, o.Retries, o.Timeout.String(), o.Backoff.String(), o.Priority, o.Keep.String(), o.Cron,
					t.Schema, pkg.Path + "." + fn, p.position(t.Pos),
				})
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", t.Name, o.Queue, o.Retries,
				orNone(o.Timeout), o.Backoff, o.Priority, orDash(o.Cron), p.position(t.Pos))
		}
	}
	return w.Flush()
}

func orNone(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// diffs prints what would change, and reports whether anything would.
func (p *printer) diffs(files []*file) (changes bool, err error) {
	for _, f := range files {
		if !f.changes() {
			continue
		}
		changes = true
		name := filepath.ToSlash(p.relative(f.path))
		d := difflib.UnifiedDiff{
			A: lines(f.old), FromFile: name,
			B: lines(f.new), ToFile: name,
			Context: 3,
		}
		switch {
		case f.old == nil:
			d.FromFile = "/dev/null"
		case f.new == nil:
			d.ToFile = "/dev/null"
		}
		if err := difflib.WriteUnifiedDiff(p.out, d); err != nil {
			return changes, fmt.Errorf("cannot print the diff: %w", err)
		}
	}
	return changes, nil
}

// lines splits text into lines with their ends.
func lines(text []byte) []string {
	split := strings.SplitAfter(string(text), "\n")
	if last := len(split) - 1; split[last] == "" {
		return split[:last]
	}
	return split
}
