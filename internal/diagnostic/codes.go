package diagnostic

// A Code names a kind of diagnostic.
type Code string

// The kinds of diagnostics. docs/diagnostics.md explains each with an example.
const (
	Syntax           Code = "syntax"
	Malformed        Code = "malformed-directive"
	UnknownDirective Code = "unknown-directive"
	Misplaced        Code = "misplaced-directive"
	Repeated         Code = "repeated-directive"
	TestFile         Code = "test-file"
	ExcludedFile     Code = "excluded-file"
	Option           Code = "option"
	Cron             Code = "cron"
	Signature        Code = "signature"
	ParameterName    Code = "parameter-name"
	Result           Code = "result"
	Unresolved       Code = "unresolved-type"
	Wire             Code = "wire"
	NameTaken        Code = "name-taken"
	ForeignFile      Code = "foreign-file"
	Upcast           Code = "upcast"
	Lock             Code = "lock"
	Table            Code = "table"
	DuplicateTask    Code = "duplicate-task"
	Trouble          Code = "trouble"
)

// The kinds of changes between two versions of a program, beside the rules of
// package schema. Those of results begin with RESULT in place of FIELD.
const (
	TaskRemoved Code = "TASK_REMOVED"
	TaskRenamed Code = "TASK_RENAMED"
	TaskMoved   Code = "TASK_MOVED_QUEUE"
)
