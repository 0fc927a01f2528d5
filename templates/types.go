package templates

import (
	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// typ returns a type:
//
//	map[string]*billing.Invoice
func typ(t scan.Type) *Statement {
	s := new(Statement)
	for _, w := range t {
		if w.Pkg != "" {
			s.Qual(w.Pkg, w.Text)
		} else {
			s.Op(w.Text)
		}
	}
	return s
}

// result returns the result type of a task:
//
//	dtask.None
func result(t *scan.Task) *Statement {
	if t.Result == nil {
		return Qual(runtimePath, "None")
	}
	return typ(t.Result)
}
