package scan

// The kinds of diagnostics. docs/diagnostics.md explains each with an example.
const (
	CodeSyntax           Code = "syntax"
	CodeMalformed        Code = "malformed-directive"
	CodeUnknownDirective Code = "unknown-directive"
	CodeMisplaced        Code = "misplaced-directive"
	CodeRepeated         Code = "repeated-directive"
	CodeTestFile         Code = "test-file"
	CodeExcludedFile     Code = "excluded-file"
	CodeOption           Code = "option"
	CodeCron             Code = "cron"
	CodeSignature        Code = "signature"
	CodeParameterName    Code = "parameter-name"
	CodeResult           Code = "result"
	CodeUnresolved       Code = "unresolved-type"
	CodeWire             Code = "wire"
	CodeNameTaken        Code = "name-taken"
	CodeForeignFile      Code = "foreign-file"
	CodeWireChange       Code = "wire-change"
	CodeTable            Code = "table"
	CodeDuplicateTask    Code = "duplicate-task"
)
