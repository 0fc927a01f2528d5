package scan

import (
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

// unresolved reports a type that has an error of its own, with what the
// compiler says about it.
func (w *wireCheck) unresolved(at *place) {
	p := w.p
	chain := w.chain(at)
	pos := chain[len(chain)-1].Pos
	if len(chain) == 1 {
		pos = p.pos(w.at.Pos())
	}
	causes := p.typeErrorsAt(pos.Filename, pos.Line)
	hint := "mend the error; if an import is missing, go get it or run go mod tidy"
	for _, c := range causes {
		if strings.HasPrefix(c.Text, "undefined:") && strings.HasSuffix(c.Text, "Args") {
			hint = "declare the type, or take its fields as parameters; a task cannot take what dtaskgen generates"
		}
	}
	d := p.report(p.pos(w.at.Pos()), CodeUnresolved, hint, "%s: %s: the type has an error", w.task.describe(), at.path())
	d.Chain = append(chain[1:len(chain):len(chain)], causes...)
}

// typeErrorsAt returns what the type checker says about a line, or else about
// the imports of the package that it is in.
func (p *packageScan) typeErrorsAt(file string, line int) []Step {
	var here, imports []Step
	packages.Visit([]*packages.Package{p.loaded}, nil, func(loaded *packages.Package) {
		for _, e := range loaded.TypeErrors {
			pos := e.Fset.Position(e.Pos)
			step := Step{Pos: pos, Text: e.Msg}
			switch {
			case e.Soft:
			case pos.Filename == file && pos.Line == line:
				here = append(here, step)
			case strings.HasPrefix(e.Msg, "could not import") && filepath.Dir(pos.Filename) == filepath.Dir(file):
				step.Text = importError(loaded, e.Msg)
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
func importError(loaded *packages.Package, message string) string {
	path, _, _ := strings.Cut(strings.TrimPrefix(message, "could not import "), " ")
	if imported := loaded.Imports[path]; imported != nil {
		for _, e := range imported.Errors {
			return oneLine(e.Msg)
		}
	}
	return message
}
