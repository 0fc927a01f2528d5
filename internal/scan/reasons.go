package scan

import (
	"fmt"
	"go/types"
	"strings"
)

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

// interfaceReason returns why an interface cannot be sent.
func (p *packageScan) interfaceReason(t types.Type) (reason, hint string) {
	switch {
	case isError(t):
		return "an error cannot be decoded", "pass its text"
	case isContext(t):
		return "a context belongs to the process", "take ctx context.Context as the first parameter"
	case t.Underlying().(*types.Interface).NumMethods() == 0:
		return "any comes back as another type (a number as float64)", "pass a concrete type, or json.RawMessage"
	}
	return fmt.Sprintf("%s is an interface, which cannot be decoded", p.typeString(t)), "pass a concrete type"
}

// basicReason returns why a basic type cannot be sent, or "".
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
	c := codecBy("Text", t) // JSON methods do not matter to keys
	basic, _ := t.Underlying().(*types.Basic)
	isString := basic != nil && basic.Info()&types.IsString != 0
	switch {
	case t == types.Typ[types.Invalid]:
		return "the type of the key has an error", "mend it"
	case c.own() && isString:
		// The encoder takes the string, the decoder calls UnmarshalText.
		return fmt.Sprintf("a key of type %s would be encoded as the string that it is, but decoded by its UnmarshalText", p.typeString(t)), "use string for key"
	case c.own():
		return p.misfit(t, c, false)
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

// knownBad returns the reason why a type of the standard library cannot be sent,
// and what to do, where its fields would tell less; or nil.
func knownBad(t types.Type) []string {
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return nil
	}
	name := n.Obj().Pkg().Path() + "." + n.Obj().Name()
	switch name {
	case "database/sql.DB", "database/sql.Conn", "database/sql.Tx", "database/sql.Stmt",
		"net/http.Client", "log/slog.Logger", "log.Logger":
		return []string{name + " belongs to the process", "make the task a method, and have it as a field of the receiver"}
	case "database/sql.Rows", "database/sql.Row":
		return []string{name + " belongs to a connection", "pass the key, and load the row in the task"}
	case "net/http.Request", "net/http.Response", "os.File", "bufio.Reader", "bytes.Buffer", "bytes.Reader", "strings.Reader", "strings.Builder":
		return []string{name + " is a stream or has hidden state", "pass what the task needs of it: a string, a []byte, a path"}
	case "sync.Mutex", "sync.RWMutex", "sync.WaitGroup", "sync.Once", "sync.Map", "sync.Pool", "sync.Cond":
		return []string{name + " belongs to the process", `leave it out with the tag json:"-", or pass a copy of the data`}
	case "encoding/json.Number":
		return []string{"an empty json.Number would come back as 0", "use string, or a numeric type"}
	case "math/big.Float":
		return []string{"a big.Float would come back with another precision", "pass its text"}
	case "net/url.URL":
		return []string{"a url.URL would lose its user information", "pass its String()"}
	}
	return nil
}

// isOfC reports whether a struct stands for a type of C.
func isOfC(st *types.Struct) bool {
	return st.NumFields() == 1 && st.Field(0).Name() == cTypePrefix
}
