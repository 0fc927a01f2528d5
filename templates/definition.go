package templates

import (
	"fmt"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// definition emits the typed value of a task:
//
//	// SendWelcomeTask is the definition of SendWelcome.
//	var SendWelcomeTask = dtask.Define[SendWelcomeArgs, dtask.None]("github.com/acme/shop/mail.SendWelcome", dtask.Spec{
//		Queue:   "mail",
//		Retries: 5,
//		Timeout: 30 * time.Second,
//		Backoff: time.Second,
//		Module:  "github.com/acme/shop",
//		Schema:  "2b7c6c0e5d3f4a11",
//		Fields: []string{
//			"to string",
//			"user User",
//			"User.name string",
//		},
//	})
func (w *writer) definition(t *scan.Task) *Statement {
	return doc(fmt.Sprintf("%s is the definition of %s.", t.Names.Task, t.Function())).
		Var().Id(t.Names.Task).Op("=").
		Qual(runtimePath, "Define").Types(Id(t.Names.Args), result(t)).
		Call(Lit(t.Name), Qual(runtimePath, "Spec").Add(spec(t)))
}
