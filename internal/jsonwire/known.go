package jsonwire

import "go/types"

// knownBad returns why a type of the standard library cannot be sent, and what
// to do, or nil. For these types the reason helps more than a list of their fields.
func knownBad(t types.Type) []string {
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return nil
	}
	name := n.Obj().Pkg().Path() + "." + n.Obj().Name()
	switch name {
	case "database/sql.DB", "database/sql.Conn", "database/sql.Stmt",
		"net/http.Client", "log/slog.Logger", "log.Logger":
		return []string{name + " belongs to the process", "make the task a method, and have it as a field of the receiver"}
	case "database/sql.Tx":
		return []string{name + " belongs to the process", "take tx *sql.Tx as the first parameter, or right after ctx"}
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
