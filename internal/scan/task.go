package scan

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// A packageScan is the scan of one package.
type packageScan struct {
	*scanner
	candidate *candidate
	loaded    *packages.Package
	pkg       *Package
}

var universe = types.Universe.Names()

func (p *packageScan) pos(pos token.Pos) token.Position { return p.loaded.Fset.Position(pos) }

func (p *packageScan) scope() *types.Scope { return p.loaded.Types.Scope() }

const signatureHint = "a task is func([ctx context.Context,] parameters...) with the results (), error or (R, error)"

// task returns the task that a mark makes of its function, or nil if it cannot
// be one; then it has reported why.
func (p *packageScan) task(m mark) *Task {
	failures := len(p.diags)
	options, name, _ := p.options(m.task)
	fn := m.fn
	pos := p.pos(fn.Name.Pos())
	if reason, hint := refuseFunction(fn); reason != "" {
		p.report(pos, CodeSignature, hint, "%s", reason)
		return nil
	}
	obj, receiver := p.lookup(fn)
	if obj == nil || p.refused(fn) {
		d := p.report(pos, CodeUnresolved, "mend the error", "%s: the declaration has an error", fn.Name.Name)
		d.Chain = p.typeErrorsAt(pos.Filename, pos.Line)
		return nil
	}
	t := &Task{
		Func:     fn.Name.Name,
		Pos:      pos,
		Doc:      fn.Doc.Text(),
		Receiver: receiver,
		Options:  options,
	}
	typ := ""
	if receiver != nil {
		typ = receiver.Type
	}
	t.Names = names(t.Func, typ)
	t.Name = name
	if name == "" {
		t.Name = taskName(p.candidate, p.pkg.Name, t.Func, typ)
		if !validTaskName(t.Name) {
			p.report(pos, CodeOption, "give it a shorter one with //dtask:task name=NAME",
				"the name %q of the task is not 1 to %d bytes of printable text", t.Name, maxTaskName)
		}
	}
	p.signature(t, fn, obj.Signature())
	if m.cron != nil {
		p.cron(t, m.cron)
	}
	if len(p.diags) > failures {
		return nil
	}
	return t
}

// refuseFunction returns why a function can be no task, as far as its syntax
// says.
func refuseFunction(fn *ast.FuncDecl) (reason, hint string) {
	switch name := fn.Name.Name; {
	case fn.Type.TypeParams != nil:
		return fmt.Sprintf("%s is generic", name), "mark a function that calls it with the types of the task"
	case fn.Recv == nil && (name == "init" || name == "main"), name == "_":
		return fmt.Sprintf("%s cannot be called by a worker", name), "give the function a name of its own"
	case fn.Recv != nil && receiverIsGeneric(fn.Recv):
		return fmt.Sprintf("%s has a receiver with type parameters", name), "mark a method of a type without type parameters that calls it"
	}
	return "", ""
}

func receiverIsGeneric(recv *ast.FieldList) bool {
	_, generic := receiverName(recv)
	return generic
}

// receiverName returns the name of the receiver's type.
func receiverName(recv *ast.FieldList) (name string, generic bool) {
	if len(recv.List) != 1 {
		return "", false
	}
	for e := recv.List[0].Type; ; {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e, generic = x.X, true
		case *ast.IndexListExpr:
			e, generic = x.X, true
		case *ast.Ident:
			return x.Name, generic
		default:
			return "", generic
		}
	}
}

// lookup returns the object of a function, and its receiver if it is a method.
func (p *packageScan) lookup(fn *ast.FuncDecl) (*types.Func, *Receiver) {
	if fn.Recv == nil {
		obj, _ := p.scope().Lookup(fn.Name.Name).(*types.Func)
		if obj == nil || obj.Pos() != fn.Name.Pos() {
			return nil, nil
		}
		return obj, nil
	}
	name, _ := receiverName(fn.Recv)
	typeName, _ := p.scope().Lookup(name).(*types.TypeName)
	if typeName == nil {
		return nil, nil
	}
	named, _ := types.Unalias(typeName.Type()).(*types.Named)
	if pointer, ok := types.Unalias(typeName.Type()).(*types.Pointer); ok { // type P = *T
		named, _ = types.Unalias(pointer.Elem()).(*types.Named)
	}
	if named == nil {
		return nil, nil
	}
	for obj := range named.Methods() {
		if obj.Pos() == fn.Name.Pos() {
			_, isPointer := types.Unalias(obj.Signature().Recv().Type()).(*types.Pointer)
			return obj, &Receiver{Type: named.Obj().Name(), Pointer: isPointer}
		}
	}
	return nil, nil
}

// refused reports whether Go refuses the receiver or the name of a method, as
// it does with one of an interface.
func (p *packageScan) refused(fn *ast.FuncDecl) bool {
	return fn.Recv != nil && slices.ContainsFunc(p.loaded.TypeErrors, func(e types.Error) bool {
		return !e.Soft && fn.Recv.Pos() <= e.Pos && e.Pos < fn.Name.End()
	})
}

// signature fills in the parameters and results of t.
func (p *packageScan) signature(t *Task, fn *ast.FuncDecl, sig *types.Signature) {
	failures := len(p.diags)
	params := flatten(fn.Type.Params)
	for i, field := range params {
		v := sig.Params().At(i)
		switch {
		case isContext(v.Type()) && i == 0:
			t.Context = true
		case isContext(v.Type()):
			p.report(p.pos(field.typ.Pos()), CodeSignature, signatureHint, "%s: a context.Context must be the first parameter", t.describe())
		case v.Name() == "" || v.Name() == "_":
			p.report(p.pos(field.pos), CodeParameterName, "name it: the name of a parameter is the name of its field in the message",
				"%s: parameter %d has no name", t.describe(), i+1)
		default:
			t.Params = append(t.Params, Param{Name: v.Name(), Type: p.typeSource(v.Type())})
			p.checkWire(t, v.Name(), v.Type(), field.typ)
		}
	}
	t.Variadic = sig.Variadic()
	p.checkParamNames(t, params)
	p.results(t, fn, sig)
	if len(p.diags) == failures {
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

// isContext reports whether t is context.Context, by whatever alias.
func isContext(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Context" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "context"
}

// checkParamNames reports parameters whose names a JSON decoder may take for
// each other.
func (p *packageScan) checkParamNames(t *Task, fields []syntaxField) {
	if t.Context {
		fields = fields[1:]
	}
	if len(fields) != len(t.Params) {
		return // something is reported already
	}
	for i, a := range t.Params {
		for _, b := range t.Params[:i] {
			if strings.EqualFold(a.Name, b.Name) {
				p.report(p.pos(fields[i].pos), CodeParameterName, "rename one: names in JSON are told apart without regard to case",
					"%s: parameters %s and %s differ in case only", t.describe(), b.Name, a.Name)
			}
		}
	}
}

// results judges what the function returns: nothing, an error, or a value and
// an error.
func (p *packageScan) results(t *Task, fn *ast.FuncDecl, sig *types.Signature) {
	results := sig.Results()
	fields := flatten(fn.Type.Results)
	switch n := results.Len(); {
	case n == 0:
	case n == 1 && isError(results.At(0).Type()):
		t.Error = true
	case n == 2 && isError(results.At(1).Type()) && !isError(results.At(0).Type()):
		t.Error = true
		t.Result = p.typeSource(results.At(0).Type())
		p.checkWire(t, "result", results.At(0).Type(), fields[0].typ)
	case n <= 2 && !isError(results.At(n-1).Type()) && implementsError(results.At(n-1).Type()):
		p.report(p.pos(fields[n-1].typ.Pos()), CodeResult, "return error: a nil pointer in an error is not nil",
			"%s returns %s instead of error", t.describe(), p.typeString(results.At(n-1).Type()))
	default:
		p.report(p.pos(fn.Type.Results.Pos()), CodeResult, signatureHint,
			"%s returns %s", t.describe(), describeResults(p, results))
	}
}

func describeResults(p *packageScan, results *types.Tuple) string {
	var list []string
	for v := range results.Variables() {
		list = append(list, p.typeString(v.Type()))
	}
	if len(list) == 1 {
		return list[0] + " without an error"
	}
	return "(" + strings.Join(list, ", ") + ")"
}

var errorType = types.Universe.Lookup("error").Type()

func isError(t types.Type) bool { return types.Identical(types.Unalias(t), errorType) }

func implementsError(t types.Type) bool {
	return types.Implements(t, errorType.Underlying().(*types.Interface))
}

// arguments settles what the message holds: the user's own struct, if it has
// the name of the arguments, else a field for each parameter.
func (p *packageScan) arguments(t *Task, sig *types.Signature) {
	obj, _ := p.scope().Lookup(t.Names.Args).(*types.TypeName)
	own := len(t.Params) == 1 && !t.Variadic && obj != nil && !obj.IsAlias() &&
		types.Identical(sig.Params().At(sig.Params().Len()-1).Type(), obj.Type())
	if own {
		_, t.OwnArgs = obj.Type().Underlying().(*types.Struct)
	}
	if t.OwnArgs && p.codecOf(obj.Type()).own() {
		p.report(p.pos(obj.Pos()), CodeWire, "rename the type, to have it as a field of the arguments",
			"%s encodes itself; the arguments of a task are encoded field by field", t.Names.Args)
		return
	}
	s := p.newSchema()
	if t.OwnArgs {
		s.fields(obj.Type().Underlying().(*types.Struct))
	} else {
		first := 0
		if t.Context {
			first = 1
		}
		for i := first; i < sig.Params().Len(); i++ {
			v := sig.Params().At(i)
			s.field(v.Name(), v.Type())
		}
	}
	t.Wire, t.Schema = s.finish()
}

// syntaxErrors reports the errors of a package that does not parse, or is
// several.
func (p *packageScan) syntaxErrors() bool {
	failures := len(p.diags)
	for _, e := range p.loaded.Errors {
		if e.Kind == packages.ParseError {
			p.report(parsePosition(e.Pos), CodeSyntax, "", "%s", e.Msg)
		}
	}
	if len(p.diags) > failures {
		return true
	}
	for _, f := range p.loaded.Syntax {
		if f.Name.Name != p.pkg.Name {
			p.report(p.pos(f.Name.Pos()), CodeSyntax, "rename it, or move the file to a directory of its own",
				"package %s is in the directory of package %s", f.Name.Name, p.pkg.Name)
		}
	}
	return len(p.diags) > failures
}
