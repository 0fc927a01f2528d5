package scan

import (
	"go/token"
	"strings"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/schema"
)

// A Package is a package that has tasks.
type Package struct {
	Path string // import path
	Name string
	Dir  string // absolute

	Module    string // path of its module, or empty
	ModuleDir string // root of its module, or empty

	// Tasks are its tasks, sorted by the names that are generated for them. So
	// moving code about in the package does not change the generated file.
	Tasks []*Task

	// Receivers are the types of the methods among the tasks, sorted.
	Receivers []*Receiver

	// Transactions are the types of transactions that the tasks take, sorted.
	Transactions []Type

	// Table asks for the table of a whole program, or is nil.
	Table *Table

	// Upcasters convert arguments of earlier versions.
	Upcasters []*Upcaster

	// Retired are the tasks that are no more, and whose messages may be lost.
	Retired []Retired

	// OldArgs are the types of earlier arguments that upcasters mention.
	OldArgs []OldArgs

	// Opaque maps the types in messages that have methods of their own for JSON or text,
	// and come from other modules, to the versions of these.
	Opaque map[string]string

	// Imports maps the paths of the packages that the generated code needs to
	// their names. Those that it needs in any case are left out.
	Imports map[string]string

	// ImportNames maps the paths of the packages that its files import to the names
	// that most of them give to it, sorted. There are several if as many files give
	// one as another.
	ImportNames map[string][]string

	// Scope holds the names that the package declares itself, outside the
	// generated file.
	Scope []string
}

// A Table assembles the dispatch tables of the packages whose tasks a program
// runs.
type Table struct {
	Pos     token.Position
	Entries []TableEntry // sorted by path
}

// A TableEntry is a package of a [Table].
type TableEntry struct {
	Path         string // of the package, which may be that of the table itself
	Receivers    []*Receiver
	Transactions []Type
}

// empty reports whether there is nothing to generate.
func (p *Package) empty() bool { return len(p.Tasks) == 0 && p.Table == nil }

// A Task is an annotated function.
type Task struct {
	Name  string         // the name its messages carry
	Func  string         // the function or method
	Pos   token.Position // of the function's name
	Doc   string         // the function's documentation, without directives
	Names Names

	Receiver *Receiver // nil for a function
	Context  bool      // the first parameter is a context.Context
	Tx       Type      // the next one is a transaction of this type; nil if it is not
	Params   []Param   // the others
	Variadic bool      // the last parameter is variadic
	OwnArgs  bool      // the one parameter is the user's struct <Func>Args, by value
	Result   Type      // nil if there is none
	Error    bool      // the last result is an error

	Options directive.Settings // of //dtask:task
	Cron    *Cron              // nil if the task is not periodic

	// Module is the path of the module that has the task, without a major version.
	Module string

	// Was are names that the task had, newest first; Earlier and EarlierResults are
	// the versions that its arguments and its result had, newest first. Package
	// evolution fills them in.
	Was            []string
	Earlier        []Earlier
	EarlierResults []Earlier

	// Args is what the arguments look like in a message, and Returns what the
	// result looks like there, or nil.
	Args, Returns *schema.Schema
}

// Function returns the function as its user calls it: Send, or Mailer.Send.
func (t *Task) Function() string {
	if t.Receiver != nil {
		return t.Receiver.Type + "." + t.Func
	}
	return t.Func
}

// An Earlier is an earlier version of the arguments or of the result of a task.
type Earlier struct {
	N      int
	Schema string // its fingerprint

	// Upcast are the functions that convert it, one after the other. If there is
	// none and Refused is empty, its messages are read as they are.
	Upcast  []*Upcaster
	Refused string // why its messages are not run
}

// An Upcaster is a function that converts the arguments of an earlier version to
// those of a later one.
type Upcaster struct {
	Func     string
	Pos      token.Position
	From, To string // types: SendArgsV1, SendArgsV2 or SendArgs
}

// A Retired names a task that is no more.
type Retired struct {
	Name string
	Pos  token.Position
}

// RawJSON is the package of the type that old arguments have for JSON whose form
// nobody knows.
const RawJSON = "encoding/json"

// An OldArgs is the type of earlier arguments.
type OldArgs struct {
	Name   string // SendArgsV1
	Task   *Task
	N      int
	Schema *schema.Schema
}

// Names are the names that are generated for a task.
type Names struct {
	Args  string // SendWelcomeArgs, MailerSendDigestArgs, sendArgs
	Task  string // SendWelcomeTask, MailerSendDigestTask, sendTask
	Delay string // DelaySendWelcome, DelayMailerSendDigest, delaySend
}

// A Receiver is a type whose methods are tasks.
type Receiver struct {
	Type    string // the name of the type
	Pointer bool   // at least one of the tasks has a pointer receiver
}

// A Param is a parameter of a task.
type Param struct {
	Name string // as the user wrote it, and the name on the wire
	Type Type   // of a variadic parameter: the slice
	Tag  string // what //dtask:param says of it, or empty
}

// A Cron says when a periodic task runs.
type Cron struct {
	Schedule string
	Options  directive.Settings // of //dtask:cron
}

// A Type is a type as Go source: words and punctuation in order.
type Type []Word

// String returns the type with the paths of packages: *database/sql.Tx.
func (t Type) String() string {
	var s strings.Builder
	for _, w := range t {
		if w.Pkg != "" {
			s.WriteString(w.Pkg + ".")
		}
		s.WriteString(w.Text)
	}
	return s.String()
}

// A Word is a part of a [Type].
type Word struct {
	Pkg  string // import path of the package, maybe the task's own, that declares Text
	Text string // an identifier if Pkg is set, else source text of any kind
}
