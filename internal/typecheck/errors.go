package typecheck

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// loadError makes one line of an error of the go command.
func loadError(err error) error {
	text := err.Error()
	var pe packages.Error
	if errors.As(err, &pe) {
		text = pe.Msg
	}
	text = oneLine(strings.TrimPrefix(text, "err: exit status 1: stderr: "))
	switch {
	case strings.Contains(text, "modules listed in go.work"):
		text += "; to look at all of them, run dtaskgen work"
	case strings.Contains(text, "does not contain main module"):
		text += "; run dtaskgen inside a module"
	}
	return fmt.Errorf("cannot load packages: %s", text)
}

// oneLine makes one line of what the go command says: of several lines, a
// command that it recommends among them. Its progress is left out.
func oneLine(text string) string {
	var joined strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || isProgress(line) {
			continue
		}
		switch before := joined.String(); {
		case before == "":
		case strings.HasSuffix(before, ":"):
			joined.WriteByte(' ')
		default:
			joined.WriteString("; ")
		}
		joined.WriteString(line)
	}
	return joined.String()
}

// isProgress reports whether a line says only what the go command does.
func isProgress(line string) bool {
	verb, ok := strings.CutPrefix(line, "go: ")
	if !ok {
		return false
	}
	verb, _, _ = strings.Cut(verb, " ")
	return verb == "downloading" || verb == "finding" || verb == "extracting"
}

// ParseErrors returns what the parser says about a package.
func ParseErrors(p *packages.Package) []diagnostic.Step {
	var found []diagnostic.Step
	for _, e := range p.Errors {
		if e.Kind == packages.ParseError {
			found = append(found, diagnostic.Step{Pos: parsePosition(e.Pos), Text: e.Msg})
		}
	}
	return found
}

// parsePosition reads the position of a packages.Error: file:line:col, where
// the line and the column may be missing.
func parsePosition(s string) token.Position {
	pos := token.Position{Filename: s}
	for range 2 {
		i := strings.LastIndexByte(pos.Filename, ':')
		if i < 0 {
			break
		}
		n, err := strconv.Atoi(pos.Filename[i+1:])
		if err != nil {
			break
		}
		pos.Filename, pos.Line, pos.Column = pos.Filename[:i], n, pos.Line
	}
	return pos
}

// ErrorsAt returns what the type checker says about a line of a package or of
// those it imports. If that is nothing, it returns what the type checker says
// about the imports of the package that the line is in.
func ErrorsAt(p *packages.Package, file string, line int) []diagnostic.Step {
	var here, imports []diagnostic.Step
	packages.Visit([]*packages.Package{p}, nil, func(p *packages.Package) {
		for _, e := range p.TypeErrors {
			pos := e.Fset.Position(e.Pos)
			step := diagnostic.Step{Pos: pos, Text: e.Msg}
			switch {
			case e.Soft:
			case pos.Filename == file && pos.Line == line:
				here = append(here, step)
			case strings.HasPrefix(e.Msg, "could not import") && filepath.Dir(pos.Filename) == filepath.Dir(file):
				step.Text = importError(p, e.Msg)
				imports = append(imports, step)
			}
		}
	})
	if len(here) > 0 {
		return here
	}
	return imports
}

// importError returns what the go command says about an import that failed, or
// else the message of the type checker: could not import PATH (REASON).
func importError(p *packages.Package, message string) string {
	path, _, _ := strings.Cut(strings.TrimPrefix(message, "could not import "), " ")
	if imported := p.Imports[path]; imported != nil {
		for _, e := range imported.Errors {
			return oneLine(e.Msg)
		}
	}
	return message
}

// Refused reports whether the type checker refuses the receiver or the name of a
// method, as it does with a receiver that is an interface.
func Refused(p *packages.Package, fn *ast.FuncDecl) bool {
	return fn.Recv != nil && slices.ContainsFunc(p.TypeErrors, func(e types.Error) bool {
		return !e.Soft && fn.Recv.Pos() <= e.Pos && e.Pos < fn.Name.End()
	})
}
