// Package diagnostic holds what the generator tells its user. Each diagnostic
// is data: the packages that look at source report it, and the command prints
// it.
package diagnostic

import "go/token"

// A Diagnostic is something the user has to know or to mend.
type Diagnostic struct {
	Pos     token.Position
	Code    Code // which kind; docs/diagnostics.md has a section for each
	Message string
	Chain   []Step // the way to the culprit, from the outside in
	Hint    string // what to do, or empty if the message says it
	Class   string // of a change between two versions: what it needs; else empty
	Warning bool   // the generator goes on
}

// A Step is a part of the way to a culprit.
type Step struct {
	Pos  token.Position // zero for what has no place in source
	Text string
}
