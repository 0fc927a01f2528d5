package scan

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

// checkWire reports all that keeps a parameter or result of a task from coming
// back equal from a message.
func (p *packageScan) checkWire(t *Task, name string, typ types.Type, at ast.Expr) {
	for _, flaw := range p.judge.Flaws(name, typ) {
		var chain []diagnostic.Step
		for _, s := range flaw.Chain {
			step := diagnostic.Step{Text: s.Text}
			if s.Pos.IsValid() {
				step.Pos = p.pos(s.Pos)
			}
			chain = append(chain, step)
		}
		if flaw.Unresolved {
			p.unresolved(t, flaw.Path, at, chain)
			continue
		}
		d := p.ReportAt(at.Pos(), diagnostic.Wire, flaw.Hint, "%s: %s: %s", t.Function(), flaw.Path, flaw.Reason)
		d.Chain = chain
	}
}

// unresolved reports a type that has an error of its own, with what the type
// checker says about it.
func (p *packageScan) unresolved(t *Task, path string, at ast.Expr, chain []diagnostic.Step) {
	pos := p.pos(at.Pos())
	if len(chain) > 0 {
		if last := chain[len(chain)-1].Pos; last.IsValid() {
			pos = last
		}
		chain = chain[1:]
	}
	causes := typecheck.ErrorsAt(p.loaded, pos.Filename, pos.Line)
	hint := "mend the error; if an import is missing, go get it or run go mod tidy"
	for _, c := range causes {
		if strings.HasPrefix(c.Text, "undefined:") && strings.HasSuffix(c.Text, "Args") {
			hint = "declare the type, or take its fields as parameters; a task cannot take what dtaskgen generates"
		}
	}
	d := p.ReportAt(at.Pos(), diagnostic.Unresolved, hint, "%s: %s: the type has an error", t.Function(), path)
	d.Chain = append(chain, causes...)
}
