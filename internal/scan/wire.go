package scan

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/go/types/typeutil"
)

// maxArgDepth bounds how deep type arguments are nested. Only a generic type
// that contains ever new instances of itself gets there.
const maxArgDepth = 30

// checkWire reports all that keeps values of type t, which the task has as a
// parameter or result called name, from coming back equal from a message.
func (p *packageScan) checkWire(t *Task, name string, typ types.Type, at ast.Expr) {
	w := &wireCheck{p: p, task: t, at: at}
	w.value([]Step{{Text: fmt.Sprintf("%s is %s", name, p.typeString(typ))}}, name, typ, false)
}

// A wireCheck follows a type to whatever does not survive the wire.
type wireCheck struct {
	p    *packageScan
	task *Task
	at   ast.Expr
	// seen holds the types that were judged, by whether the value was
	// addressable: each is reported once.
	seen [2]typeutil.Map
	// endless is set once a type turns out to be without end.
	endless bool
}

// value judges a type that was reached by chain and is called path.
func (w *wireCheck) value(chain []Step, path string, typ types.Type, addressable bool) {
	seen := &w.seen[0]
	if addressable {
		seen = &w.seen[1]
	}
	t := types.Unalias(typ)
	if w.endless || seen.At(t) != nil {
		return
	}
	seen.Set(t, true)
	if argDepth(t) > maxArgDepth {
		w.endless = true
		root, _, _ := strings.Cut(path, ".")
		w.refuse(chain[:min(len(chain), 3)], root, "the type contains ever new instances of itself", "pass a type that is not generic")
		return
	}
	if t == types.Typ[types.Invalid] {
		w.unresolved(chain, path)
		return
	}
	if reason, hint := knownBad(t); reason != "" {
		w.refuse(chain, path, reason, hint)
		return
	}
	if it, ok := t.Underlying().(*types.Interface); ok {
		reason, hint := w.interfaceReason(t, it)
		w.refuse(chain, path, reason, hint)
		return
	}
	if isTime(t) {
		return
	}
	if c := w.p.codecOf(t, addressable); c.own() {
		if c.problem != "" {
			w.refuse(chain, path, c.problem, c.hint)
		}
		return
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if reason, hint := basicReason(u); reason != "" {
			w.refuse(chain, path, reason, hint)
		}
	case *types.Pointer:
		w.pointer(chain, path, u)
	case *types.Slice:
		w.value(chain, path+"[]", u.Elem(), true)
	case *types.Array:
		w.value(chain, path+"[]", u.Elem(), addressable)
	case *types.Map:
		if reason, hint := w.p.keyReason(u.Key()); reason != "" {
			w.refuse(chain, path, reason, hint)
		}
		w.value(chain, path+"[]", u.Elem(), false)
	case *types.Struct:
		w.structure(chain, path, t, u, addressable)
	case *types.Chan:
		w.refuse(chain, path, "a channel cannot leave the process", "pass the values")
	case *types.Signature:
		w.refuse(chain, path, "a function cannot leave the process", "pass what tells the task which function to call")
	default:
		w.refuse(chain, path, fmt.Sprintf("%s cannot be encoded", w.p.typeString(t)), "pass a concrete type")
	}
}

// pointer judges a pointer. A nil one is null in JSON, so it must not point to
// what may be null itself.
func (w *wireCheck) pointer(chain []Step, path string, ptr *types.Pointer) {
	elem := types.Unalias(ptr.Elem())
	if !w.p.codecOf(elem, true).own() {
		switch elem.Underlying().(type) {
		case *types.Pointer, *types.Slice, *types.Map:
			w.refuse(chain, path, fmt.Sprintf("a pointer to %s would come back nil where what it points to is nil", w.p.typeString(ptr.Elem())), "drop the pointer")
			return
		}
	}
	w.value(chain, path, elem, true)
}

// structure judges a struct by the fields that encoding/json sees, and those
// that it does not.
func (w *wireCheck) structure(chain []Step, path string, t types.Type, st *types.Struct, addressable bool) {
	fields, lost := jsonFields(st)
	if len(lost) > 0 && w.p.foreign(t) {
		w.refuse(chain, path, w.p.typeString(t)+" has fields that would be lost", w.lostHint(t))
		return
	}
	for _, l := range lost {
		hint := l.hint
		if hint == "" {
			hint = w.lostHint(t)
		}
		w.refuse(w.step(chain, path, l.path, l.v), path+"."+l.path, l.reason, hint)
	}
	for _, f := range fields {
		next := w.step(chain, path, f.path, f.v)
		if f.options.quoted && w.p.codecOf(types.Unalias(f.v.Type()), true).own() {
			w.refuse(next, path+"."+f.path, "the json option string does not go with a type that encodes itself", "drop the option")
			continue
		}
		w.value(next, path+"."+f.path, f.v.Type(), addressable || f.via)
	}
}

func (w *wireCheck) step(chain []Step, path, field string, v *types.Var) []Step {
	s := Step{
		Pos:  w.p.pos(v.Pos()),
		Text: fmt.Sprintf("%s.%s is %s", path, field, w.p.typeString(v.Type())),
	}
	return append(chain[:len(chain):len(chain)], s)
}

// lostHint returns what to do about an unexported field of a type.
func (w *wireCheck) lostHint(t types.Type) string {
	named, ok := t.(*types.Named)
	if !ok {
		return `export it, or tag it json:"-" to leave it out`
	}
	for m := range named.Methods() {
		if m.Name() == "ProtoReflect" {
			return "pass the message as the []byte of proto.Marshal"
		}
	}
	if w.p.foreign(t) {
		return "pass what identifies the value, and load it in the task"
	}
	return fmt.Sprintf(`export it, tag it json:"-" to leave it out, or give %s MarshalJSON and UnmarshalJSON`, w.p.typeString(t))
}

// foreign reports whether a type is of another module, and so not the user's
// to change.
func (p *packageScan) foreign(t types.Type) bool {
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	path, module := named.Obj().Pkg().Path(), p.candidate.module
	return path != p.pkg.Path && (module == "" || path != module && !strings.HasPrefix(path, module+"/"))
}

// argDepth returns how deep the type arguments of t are nested.
func argDepth(t types.Type) int {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		deepest := 0
		for arg := range t.TypeArgs().Types() {
			deepest = max(deepest, 1+argDepth(arg))
		}
		return deepest
	case interface{ Elem() types.Type }: // pointers, slices, arrays, maps, channels
		return 1 + argDepth(t.Elem())
	}
	return 0
}

// refuse reports what keeps path from surviving.
func (w *wireCheck) refuse(chain []Step, path, reason, hint string) {
	d := w.p.report(w.p.pos(w.at.Pos()), CodeWire, hint, "%s: %s: %s", w.task.describe(), path, reason)
	if len(chain) > 1 || strings.ContainsAny(path, ".[") {
		d.Chain = chain
	}
}

// unresolved reports a type that has an error of its own, with what the
// compiler says about it.
func (w *wireCheck) unresolved(chain []Step, path string) {
	p := w.p
	at := chain[len(chain)-1].Pos
	if len(chain) == 1 {
		at = p.pos(w.at.Pos())
	}
	causes := p.typeErrorsAt(at.Filename, at.Line)
	hint := "mend the error; if an import is missing, go get it or run go mod tidy"
	for _, c := range causes {
		if strings.HasPrefix(c.Text, "undefined:") && strings.HasSuffix(c.Text, "Args") {
			hint = "declare the type, or take its fields as parameters; a task cannot take what dtaskgen generates"
		}
	}
	d := p.report(p.pos(w.at.Pos()), CodeUnresolved, hint, "%s: %s: the type has an error", w.task.describe(), path)
	d.Chain = append(chain[1:len(chain):len(chain)], causes...)
}

// typeErrorsAt returns what the type checker says about a line, or else about
// the imports of the package.
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
			case strings.HasPrefix(e.Msg, "could not import") && loaded == p.loaded:
				step.Text = p.importError(e.Msg)
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
func (p *packageScan) importError(message string) string {
	path, _, _ := strings.Cut(strings.TrimPrefix(message, "could not import "), " ")
	if imported := p.loaded.Imports[path]; imported != nil {
		for _, e := range imported.Errors {
			text, _, _ := strings.Cut(e.Msg, "\n")
			return text
		}
	}
	return message
}

func (w *wireCheck) interfaceReason(t types.Type, it *types.Interface) (reason, hint string) {
	switch {
	case isError(t):
		return "an error cannot be decoded", "pass its text"
	case isContext(t):
		return "a context belongs to the process", "take ctx context.Context as the first parameter"
	case it.NumMethods() == 0:
		return "any comes back as another type (a number as float64)", "pass a concrete type, or json.RawMessage"
	}
	return fmt.Sprintf("%s is an interface, which cannot be decoded", w.p.typeString(t)), "pass a concrete type"
}

func basicReason(b *types.Basic) (reason, hint string) {
	switch {
	case b.Info()&types.IsComplex != 0:
		return "a complex number cannot be encoded", "pass its two parts"
	case b.Kind() == types.Uintptr, b.Kind() == types.UnsafePointer:
		return fmt.Sprintf("%s means nothing in another process", b), "pass the value"
	}
	return "", ""
}

// keyReason returns why a type cannot be the key of a map in JSON.
func (p *packageScan) keyReason(key types.Type) (reason, hint string) {
	const useString = "use a string or an integer for key"
	t := types.Unalias(key)
	c := p.codecOf(t, false)
	basic, _ := t.Underlying().(*types.Basic)
	isString := basic != nil && basic.Info()&types.IsString != 0
	switch {
	case t == types.Typ[types.Invalid]:
		return "the type of the key has an error", "mend it"
	case c.text && c.own() && isString:
		// The encoder takes the string, the decoder calls UnmarshalText.
		return fmt.Sprintf("a key of type %s would be encoded as the string that it is, but decoded by its UnmarshalText", p.typeString(t)), "use string for key"
	case c.text && c.own():
		return c.problem, c.hint
	case isString || basic != nil && basic.Info()&types.IsInteger != 0 && basic.Kind() != types.Uintptr:
		return "", ""
	}
	return fmt.Sprintf("JSON has no keys of type %s", p.typeString(t)), useString
}

// isTime reports whether t is time.Time, which survives but for its monotonic
// clock reading and the name of its zone.
func isTime(t types.Type) bool { return isNamed(t, "time", "Time") }

func isNamed(t types.Type, pkg, name string) bool {
	n, ok := t.(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == pkg && n.Obj().Name() == name
}

// knownBad returns why a type of the standard library, or of cgo, cannot be
// sent, where its fields would tell less.
func knownBad(t types.Type) (reason, hint string) {
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return "", ""
	}
	name := n.Obj().Pkg().Path() + "." + n.Obj().Name()
	switch name {
	case "database/sql.DB", "database/sql.Conn", "database/sql.Tx", "database/sql.Stmt",
		"net/http.Client", "log/slog.Logger", "log.Logger":
		return name + " belongs to the process", "make the task a method, and have it as a field of the receiver"
	case "database/sql.Rows", "database/sql.Row":
		return name + " belongs to a connection", "pass the key, and load the row in the task"
	case "net/http.Request", "net/http.Response", "os.File", "bufio.Reader", "bytes.Buffer", "bytes.Reader", "strings.Reader", "strings.Builder":
		return name + " is a stream or has hidden state", "pass what the task needs of it: a string, a []byte, a path"
	case "sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Once", "sync.Map", "sync.Pool", "sync.Cond":
		return name + " belongs to the process", `leave it out with the tag json:"-", or pass a copy of the data`
	case "encoding/json.Number":
		return "an empty json.Number would come back as 0", "use string, or a numeric type"
	case "math/big.Float":
		return "a big.Float would come back with another precision", "pass its text"
	case "net/url.URL":
		return "a url.URL would lose its user information", "pass its String()"
	}
	if strings.HasPrefix(n.Obj().Name(), "_Ctype_") {
		return "a type of C cannot be sent", "pass a type of Go"
	}
	return "", ""
}
