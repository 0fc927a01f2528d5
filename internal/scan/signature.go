package scan

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

const signatureHint = "a task is func([ctx context.Context,] parameters...) with the results (), error or (R, error)"

// signature fills in the parameters and results of t.
func (p *packageScan) signature(t *Task, fn *ast.FuncDecl, sig *types.Signature) {
	failures := p.Len()
	params := flatten(fn.Type.Params)
	for i, field := range params {
		v := sig.Params().At(i)
		switch {
		case typecheck.IsContext(v.Type()) && i == 0:
			t.Context = true
		case typecheck.IsContext(v.Type()):
			p.ReportAt(field.typ.Pos(), diagnostic.Signature, signatureHint, "%s: a context.Context must be the first parameter", t.Function())
		case typecheck.IsTransaction(v.Type()):
			p.transaction(t, i, v, field)
		case v.Name() == "" || v.Name() == "_":
			p.ReportAt(field.pos, diagnostic.ParameterName, "name it: the name of a parameter is the name of its field in the message",
				"%s: parameter %d has no name", t.Function(), i+1)
		default:
			t.Params = append(t.Params, Param{Name: v.Name(), Type: p.typeSource(v.Type())})
			p.checkWire(t, v.Name(), v.Type(), field.typ)
		}
	}
	t.Variadic = sig.Variadic()
	p.checkParamNames(t, params)
	p.results(t, fn, sig)
	if p.Len() == failures {
		p.arguments(t, sig)
	}
}

// A syntaxField is one parameter or result in the source.
type syntaxField struct {
	pos token.Pos // of the name, or of the type if it has none
	typ ast.Expr
}

// flatten returns an element for each name of a field list.
func flatten(list *ast.FieldList) []syntaxField {
	if list == nil {
		return nil
	}
	var fields []syntaxField
	for _, f := range list.List {
		if len(f.Names) == 0 {
			fields = append(fields, syntaxField{f.Type.Pos(), f.Type})
		}
		for _, n := range f.Names {
			fields = append(fields, syntaxField{n.Pos(), f.Type})
		}
	}
	return fields
}

// checkParamNames reports parameters whose names a JSON decoder may take for
// each other.
func (p *packageScan) checkParamNames(t *Task, fields []syntaxField) {
	fields = fields[t.leading():]
	if len(fields) != len(t.Params) {
		return // something is reported already
	}
	for i, a := range t.Params {
		for _, b := range t.Params[:i] {
			if strings.EqualFold(a.Name, b.Name) {
				p.ReportAt(fields[i].pos, diagnostic.ParameterName, "rename one: names in JSON are told apart without regard to case",
					"%s: parameters %s and %s differ in case only", t.Function(), b.Name, a.Name)
			}
		}
	}
}

// results judges what the function returns: nothing, an error, or a value and
// an error.
func (p *packageScan) results(t *Task, fn *ast.FuncDecl, sig *types.Signature) {
	results := sig.Results()
	n := results.Len()
	if n == 0 {
		return
	}
	fields := flatten(fn.Type.Results)
	first, last := results.At(0).Type(), results.At(n-1).Type()
	switch {
	case n == 1 && typecheck.IsError(last):
		t.Error = true
	case n == 2 && typecheck.IsError(last) && !typecheck.IsError(first):
		t.Error = true
		t.Result = p.typeSource(first)
		t.Returns = p.judge.SchemaOf([]*types.Var{types.NewVar(token.NoPos, nil, "result", first)}, nil)
		p.checkWire(t, "result", first, fields[0].typ)
	case n <= 2 && !typecheck.IsError(last) && typecheck.ImplementsError(last):
		p.ReportAt(fields[n-1].typ.Pos(), diagnostic.Result, "return error: a nil pointer in an error is not nil",
			"%s returns %s instead of error", t.Function(), p.typeString(last))
	default:
		p.ReportAt(fn.Type.Results.Pos(), diagnostic.Result, signatureHint,
			"%s returns %s", t.Function(), p.describeResults(results))
	}
}

func (p *packageScan) describeResults(results *types.Tuple) string {
	var list []string
	for v := range results.Variables() {
		list = append(list, p.typeString(v.Type()))
	}
	if len(list) == 1 {
		return list[0] + " without an error"
	}
	return "(" + strings.Join(list, ", ") + ")"
}
