package main

import (
	"encoding/json"
	"fmt"
	"go/token"
	"io"
	"path/filepath"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// A printer prints what was found, with paths relative to dir.
type printer struct {
	dir  string
	json bool
	out  io.Writer
}

// diagnostics prints each as file:line:col: message, followed by the chain to
// the culprit and the hint.
func (p *printer) diagnostics(diags []*diagnostic.Diagnostic) {
	for _, d := range diags {
		if p.json {
			p.object(p.diagnosticJSON(d))
			continue
		}
		message := d.Message
		if d.Class != "" {
			message = string(d.Code) + " " + message
		}
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

// trouble prints what kept dtaskgen from its work.
func (p *printer) trouble(err error) {
	if p.json {
		p.object(troubleJSON{"error", diagnostic.Trouble, err.Error()})
		return
	}
	fmt.Fprintf(p.out, "dtaskgen: %v\n", err)
}

// troubleJSON is a [diagnosticJSON] that has no place.
type troubleJSON struct {
	Severity string          `json:"severity"`
	Code     diagnostic.Code `json:"code"`
	Message  string          `json:"message"`
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
	File     string          `json:"file"`
	Line     int             `json:"line"`
	Column   int             `json:"column"`
	Severity string          `json:"severity"`
	Code     diagnostic.Code `json:"code"`
	Class    string          `json:"class,omitempty"`
	Message  string          `json:"message"`
	Chain    []stepJSON      `json:"chain,omitempty"`
	Hint     string          `json:"hint,omitempty"`
}

func (p *printer) diagnosticJSON(d *diagnostic.Diagnostic) diagnosticJSON {
	j := diagnosticJSON{
		File:     p.relative(d.Pos.Filename),
		Line:     d.Pos.Line,
		Column:   d.Pos.Column,
		Severity: "error",
		Code:     d.Code,
		Class:    d.Class,
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
		panic(err) // impossible: they hold strings and numbers
	}
}
