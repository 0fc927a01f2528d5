package templates

import (
	"fmt"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// tasksFunc emits the dispatch table:
//
//	// Tasks is the dispatch table of package mail. It asks for every receiver that
//	// has tasks.
//	func Tasks(mailer *Mailer) dtask.Table {
//		return dtask.Table{
//			SendWelcomeTask.Bind(...),
//		}
//	}
func (w *writer) tasksFunc() *Statement {
	return doc(wrap(w.tasksDoc())).
		Func().Id(scan.TasksFunc).
		ParamsFunc(func(g *Group) {
			for _, r := range w.pkg.Receivers {
				param := g.Id(w.names.receivers[r.Type])
				if r.Pointer {
					param.Op("*")
				}
				param.Id(r.Type)
			}
			for _, tx := range w.pkg.Transactions {
				g.Id(w.names.databases[tx.String()]).Add(database(tx))
			}
		}).
		Qual(runtimePath, "Table").
		Block(
			Return(Qual(runtimePath, "Table").CustomFunc(Options{Open: "{", Close: "}", Separator: ",", Multi: true}, func(g *Group) {
				for _, t := range w.pkg.Tasks {
					if t.Tx != nil {
						g.Qual(runtimePath, "BindTx").Call(Id(t.Names.Task), Id(w.names.databases[t.Tx.String()]), w.binding(t))
						continue
					}
					g.Id(t.Names.Task).Dot("Bind").Call(w.binding(t))
				}
			})),
		)
}

func (w *writer) tasksDoc() string {
	return fmt.Sprintf("Tasks is the dispatch table of package %s.", w.pkg.Name) +
		asksFor(len(w.pkg.Receivers) > 0, len(w.pkg.Transactions) > 0)
}

// asksFor says what the parameters of a table are.
func asksFor(receivers, databases bool) string {
	switch {
	case receivers && databases:
		return " It asks for every receiver that has tasks, and for the database of those that take a transaction (see package inbox)."
	case receivers:
		return " It asks for every receiver that has tasks."
	case databases:
		return " It asks for the database of the tasks that take a transaction (see package inbox)."
	}
	return ""
}

// database emits the type of a database that begins transactions:
//
//	dtask.Database[*sql.Tx]
func database(tx scan.Type) *Statement {
	return Qual(runtimePath, "Database").Types(typ(tx))
}

// binding emits the function that calls the user's with the arguments of a
// message:
//
//	func(ctx context.Context, args SendWelcomeArgs) (dtask.None, error) {
//		return dtask.None{}, SendWelcome(ctx, args.To, args.User)
//	}
//
// or the user's function itself, if it has that form already.
func (w *writer) binding(t *scan.Task) *Statement {
	fn := w.callee(t)
	if t.Context && t.OwnArgs && t.Result != nil {
		return fn
	}
	ctx, args := w.names.ctx, w.names.args
	call := fn.CallFunc(func(g *Group) {
		if t.Context {
			g.Id(ctx)
		}
		if t.Tx != nil {
			g.Id(w.names.tx)
		}
		w.arguments(g, t)
	})
	if !t.Context {
		ctx = "_"
	}
	if len(t.Params) == 0 {
		args = "_"
	}
	none := Qual(runtimePath, "None").Values()
	return Func().
		ParamsFunc(func(g *Group) {
			g.Id(ctx).Qual(contextPath, "Context")
			if t.Tx != nil {
				g.Id(w.names.tx).Add(typ(t.Tx))
			}
			g.Id(args).Id(t.Names.Args)
		}).
		Params(result(t), Error()).
		BlockFunc(func(g *Group) {
			switch {
			case t.Result != nil:
				g.Return(call)
			case t.Error:
				g.Return(none, call)
			default:
				g.Add(call)
				g.Return(none, Nil())
			}
		})
}

// callee emits the user's function, or the method of a receiver.
func (w *writer) callee(t *scan.Task) *Statement {
	if t.Receiver != nil {
		return Id(w.names.receivers[t.Receiver.Type]).Dot(t.Func)
	}
	return Id(t.Func)
}

// arguments emits what the user's function gets:
//
//	args.To, args.Tags...
func (w *writer) arguments(g *Group, t *scan.Task) {
	if t.OwnArgs {
		g.Id(w.names.args)
		return
	}
	for i, field := range fieldNames(t) {
		arg := g.Id(w.names.args).Dot(field)
		if t.Variadic && i == len(t.Params)-1 {
			arg.Op("...")
		}
	}
}
