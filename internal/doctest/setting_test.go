package doctest

// A snippet is a piece of a program. The setting is the rest of it: what snippets
// may name without declaring it. testdata/shop has its packages.

// packages are the imports by the names that snippets use.
var packages = map[string]string{
	"bytes": "bytes", "cmp": "cmp", "context": "context", "errors": "errors", "fmt": "fmt",
	"http": "net/http", "httptest": "net/http/httptest", "json": "encoding/json", "log": "log",
	"os": "os", "signal": "os/signal", "slog": "log/slog", "sql": "database/sql", "strings": "strings",
	"sync": "sync", "syscall": "syscall", "testing": "testing", "time": "time",

	"broker":    "github.com/dtaskhq/dtask/runtime/broker",
	"dtask":     "github.com/dtaskhq/dtask/runtime/dtask",
	"dtasktest": "github.com/dtaskhq/dtask/runtime/dtasktest",
	"postgres":  "github.com/dtaskhq/dtask/runtime/postgres",
	"rabbitmq":  "github.com/dtaskhq/dtask/runtime/rabbitmq",
	"outbox":    "github.com/dtaskhq/dtask/runtime/outbox",
	"sqlite":    "github.com/dtaskhq/dtask/runtime/sqlite",
	"telemetry": "github.com/dtaskhq/dtask/runtime/telemetry",
	"worker":    "github.com/dtaskhq/dtask/runtime/worker",

	"mail":   "example.com/shop/mail",
	"images": "example.com/shop/images",
}

// declarations are those that snippets may use.
var declarations = map[string]string{
	"ctx":     "var ctx context.Context",
	"client":  "var client *dtask.Client",
	"db":      "var db *sql.DB",
	"id":      "var id string",
	"mailer":  "var mailer *mail.Mailer",
	"r":       "var r *http.Request",
	"t":       "var t *testing.T",
	"to":      "var to string",
	"tracing": "var tracing dtask.Middleware",
	"tx":      "var tx *sql.Tx",
	"user":    "var user mail.User",
	"w":       "var w http.ResponseWriter",
	"args":    "var args mail.SendWelcomeArgs",

	"Mailer":  "type Mailer struct{}",
	"Receipt": "type Receipt struct{ ID string }",
	"User":    "type User struct{ Name string }",
}
