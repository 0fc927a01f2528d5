package templates

import (
	"fmt"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// programFunc emits the table of a program:
//
//	// allTasks is the dispatch table of this program: all tasks of the packages
//	// that its //dtask:table lists. It asks for every receiver that has tasks.
//	func allTasks(mailer *mail.Mailer) dtask.Table {
//		return slices.Concat(
//			images.Tasks(),
//			mail.Tasks(mailer),
//		)
//	}
func (w *writer) programFunc() *Statement {
	t := w.pkg.Table
	transactions := t.Transactions()
	params, databases := w.programParams(transactions)
	return doc(wrap(fmt.Sprintf("%s is the dispatch table of this program: the tasks of all packages that its //dtask:table lists.", scan.TableFunc)+asksFor(true, len(transactions) > 0))).
		Func().Id(scan.TableFunc).
		ParamsFunc(func(g *Group) {
			for _, e := range t.Entries {
				for _, r := range e.Receivers {
					param := g.Id(params[r])
					if r.Pointer {
						param.Op("*")
					}
					param.Qual(e.Path, r.Type)
				}
			}
			for _, tx := range transactions {
				g.Id(databases[tx.String()]).Add(database(tx))
			}
		}).
		Qual(runtimePath, "Table").
		Block(
			Return(Qual(slicesPath, "Concat").CustomFunc(Options{Open: "(", Close: ")", Separator: ",", Multi: true}, func(g *Group) {
				for _, e := range t.Entries {
					g.Qual(e.Path, scan.TasksFunc).CallFunc(func(g *Group) {
						for _, r := range e.Receivers {
							g.Id(params[r])
						}
						for _, tx := range e.Transactions {
							g.Id(databases[tx.String()])
						}
					})
				}
			})),
		)
}

// programParams names the receivers: mailer, or mailMailer and smsMailer where
// types of several packages share a name. It also names a database for each type of
// transaction, whatever packages have tasks with it.
func (w *writer) programParams(transactions []scan.Type) (params map[*scan.Receiver]string, databases map[string]string) {
	count := make(map[string]int)
	taken := make(map[string]bool)
	for _, e := range w.pkg.Table.Entries {
		taken[w.names.imports[e.Path]] = true
		for _, r := range e.Receivers {
			count[scan.Uncapitalize(r.Type)]++
		}
	}
	taken[scan.TasksFunc] = true
	taken[w.names.imports[runtimePath]] = true
	taken[w.names.imports[slicesPath]] = true
	params, databases = make(map[*scan.Receiver]string), make(map[string]string)
	for _, e := range w.pkg.Table.Entries {
		for _, r := range e.Receivers {
			name := scan.Uncapitalize(r.Type)
			if count[name] > 1 {
				prefix := w.names.imports[e.Path]
				if e.Path == w.pkg.Path {
					prefix = w.pkg.Name
				}
				name = prefix + scan.Capitalize(r.Type)
			}
			params[r] = unused(name, taken)
			taken[params[r]] = true
		}
	}
	for _, tx := range transactions {
		name := unused("db", taken)
		databases[tx.String()], taken[name] = name, true
	}
	return params, databases
}
