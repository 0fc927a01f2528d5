package scan

import (
	"go/ast"
	"regexp"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/limit"
)

const upcastHint = "an upcaster is a function such as func upcastSendV1(old SendArgsV1) (SendArgs, error)"

var oldArgs = regexp.MustCompile(`^(.+[aA]rgs)V([1-9][0-9]{0,8})$`)

// upcaster takes in a function that converts earlier arguments. Its types are
// generated, so only its syntax can be judged.
func (p *packageScan) upcaster(marked *directive.Function) {
	fn := marked.Decl
	d := marked.Directives[directive.Upcast]
	_, isTask := marked.Directives[directive.Task]
	params, results := flatten(fn.Type.Params), flatten(fn.Type.Results)
	switch {
	case isTask:
		p.ReportAt(d.Pos, diagnostic.Misplaced, upcastHint, "%s cannot be a task and an upcaster", fn.Name.Name)
	case d.Args != "":
		p.ReportAt(d.ArgsPos, diagnostic.Option, "its types say what it converts", "dtask:upcast takes no options")
	case fn.Recv != nil || fn.Type.TypeParams != nil:
		p.ReportAt(fn.Name.Pos(), diagnostic.Upcast, upcastHint, "%s is a method, or generic", fn.Name.Name)
	case len(params) != 1 || len(results) != 2 || ident(results[1].typ) != "error":
		p.ReportAt(fn.Name.Pos(), diagnostic.Upcast, upcastHint, "%s does not convert one struct of arguments", fn.Name.Name)
	case !oldArgs.MatchString(ident(params[0].typ)):
		p.ReportAt(params[0].typ.Pos(), diagnostic.Upcast, upcastHint, "%s does not take earlier arguments", fn.Name.Name)
	case ident(results[0].typ) == "":
		p.ReportAt(results[0].typ.Pos(), diagnostic.Upcast, upcastHint, "%s does not return arguments", fn.Name.Name)
	default:
		p.pkg.Upcasters = append(p.pkg.Upcasters, &Upcaster{
			Func: fn.Name.Name,
			Pos:  p.pos(fn.Name.Pos()),
			From: ident(params[0].typ),
			To:   ident(results[0].typ),
		})
	}
}

// ident returns a type that is a name, or "".
func ident(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// retired takes in the names of tasks that are no more.
func (p *packageScan) retired(d directive.Directive) {
	names := strings.Fields(d.Args)
	if len(names) == 0 {
		p.ReportAt(d.Pos, diagnostic.Option, "write the name as dtask.lock has it", "dtask:retired names no task")
	}
	for _, name := range names {
		if remedy, ok := limit.Task(name); !ok {
			p.ReportAt(d.ArgsPos, diagnostic.Option, remedy, "%q is no name of a task", name)
			continue
		}
		p.pkg.Retired = append(p.pkg.Retired, Retired{name, p.pos(d.Pos)})
	}
}
