package templates

import (
	. "github.com/dave/jennifer/jen"
)

// assertion emits a line that compiles only if the runtime fits the generated
// code:
//
//	// If this does not compile, the runtime does not fit dtaskgen: run
//	// "go get github.com/dtaskhq/dtask" and "go tool dtaskgen ./...".
//	const _ = dtask.SupportsGeneratedV1
func (w *writer) assertion() *Statement {
	return doc("If this does not compile, the runtime does not fit dtaskgen: run\n\"go get github.com/dtaskhq/dtask\" and \"go tool dtaskgen ./...\".").
		Const().Id("_").Op("=").Qual(runtimePath, "SupportsGeneratedV1")
}
