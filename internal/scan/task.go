package scan

import (
	"fmt"
	"go/ast"
	"go/types"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

// task returns the task that a function is. If the function cannot be one, it
// reports why and returns nil.
func (p *packageScan) task(marked *directive.Function) *Task {
	failures := p.Len()
	fn := marked.Decl
	options := marked.Directives[directive.Task].Settings(p.Reporter)
	pos := p.pos(fn.Name.Pos())
	if reason, hint := refuseFunction(fn); reason != "" {
		p.Report(pos, diagnostic.Signature, hint, "%s", reason)
		return nil
	}
	obj, receiver := typecheck.Lookup(p.loaded.Types, fn)
	if obj == nil || typecheck.Refused(p.loaded, fn) {
		d := p.Report(pos, diagnostic.Unresolved, "mend the error", "%s: the declaration has an error", fn.Name.Name)
		d.Chain = typecheck.ErrorsAt(p.loaded, pos.Filename, pos.Line)
		return nil
	}
	if generic, instance := typecheck.InstantiationCycle(obj.Signature()); generic != nil {
		d := p.Report(pos, diagnostic.Unresolved, "keep the arguments of the type as they are where it contains itself", "%s: its signature leads to a type without end", fn.Name.Name)
		d.Chain = []diagnostic.Step{{Pos: p.pos(generic.Pos()), Text: fmt.Sprintf("%s contains %s", generic.Name(), p.typeString(instance))}}
		return nil
	}
	t := &Task{
		Func:     fn.Name.Name,
		Pos:      pos,
		Doc:      fn.Doc.Text(),
		Receiver: newReceiver(receiver, obj),
		Options:  options,
	}
	t.Names = generatedNames(t.Func, t.Receiver)
	p.name(t)
	p.signature(t, fn, obj.Signature())
	if p.Len() == failures {
		p.paramTags(t, marked.Params)
	}
	if d, ok := marked.Directives[directive.Cron]; ok {
		p.cron(t, d)
	}
	if p.Len() > failures {
		return nil
	}
	return t
}

// newReceiver returns the receiver of a method, or nil for a function.
func newReceiver(named *types.Named, method *types.Func) *Receiver {
	if named == nil {
		return nil
	}
	_, pointer := types.Unalias(method.Signature().Recv().Type()).(*types.Pointer)
	return &Receiver{Type: named.Obj().Name(), Pointer: pointer}
}

// refuseFunction returns why a function cannot be a task, as far as its syntax
// says.
func refuseFunction(fn *ast.FuncDecl) (reason, hint string) {
	switch name := fn.Name.Name; {
	case fn.Type.TypeParams != nil:
		return fmt.Sprintf("%s is generic", name), "mark a function that calls it with the types of the task"
	case fn.Recv == nil && (name == "init" || name == "main"), name == "_":
		return fmt.Sprintf("%s cannot be called by a worker", name), "give the function a name of its own"
	case fn.Recv != nil && receiverIsGeneric(fn.Recv):
		return fmt.Sprintf("%s has a receiver with type parameters", name), "mark a method of a type without type parameters that calls it"
	}
	return "", ""
}

func receiverIsGeneric(recv *ast.FieldList) bool {
	_, generic := typecheck.ReceiverName(recv)
	return generic
}

// cron makes a task periodic.
func (p *packageScan) cron(t *Task, d directive.Directive) {
	if len(t.Params) > 0 {
		p.Report(t.Pos, diagnostic.Cron, "take what it needs from the receiver, or load it in the task",
			"%s is periodic, so nobody gives it arguments", t.Function())
	}
	schedule, options := d.Schedule(p.Reporter)
	t.Cron = &Cron{Schedule: schedule, Options: options}
}
