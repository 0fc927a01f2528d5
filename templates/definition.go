package templates

import (
	"fmt"
	"strings"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// maxWireLines bounds how many fields of a large message the comment lists.
const maxWireLines = 60

// definition emits the typed value of a task:
//
//	// SendWelcomeTask is the definition of SendWelcome. Its arguments in a message:
//	//
//	//	to string
//	//	user User
//	//	User.name string
//	var SendWelcomeTask = dtask.Define[SendWelcomeArgs, dtask.None]("github.com/acme/shop/mail.SendWelcome", dtask.Spec{
//		Queue:   "mail",
//		Retries: 5,
//		Timeout: 30 * time.Second,
//		Backoff: time.Second,
//		Module:  "github.com/acme/shop",
//		Schema:  "2b7c6c0e5d3f4a11",
//	})
func (w *writer) definition(t *scan.Task) *Statement {
	return doc(definitionDoc(t)).
		Var().Id(t.Names.Task).Op("=").
		Qual(runtimePath, "Define").Types(Id(t.Names.Args), result(t)).
		Call(Lit(t.Name), Qual(runtimePath, "Spec").Add(spec(t)))
}

func definitionDoc(t *scan.Task) string {
	head := fmt.Sprintf("%s is the definition of %s.", t.Names.Task, t.Function())
	lines := t.Args.Lines()
	if len(lines) == 0 {
		return head
	}
	if more := len(lines) - maxWireLines; more > 0 {
		lines = append(lines[:maxWireLines:maxWireLines], fmt.Sprintf("... and %d more lines", more))
	}
	return wrap(head+" Its arguments in a message:") + "\n\n\t" + strings.Join(lines, "\n\t")
}
