package scan

import (
	"go/types"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// arguments settles what the message holds: the user's own struct if it has the
// name of the arguments, and else a field for each parameter.
func (p *packageScan) arguments(t *Task, sig *types.Signature) {
	var params []*types.Var
	for v := range sig.Params().Variables() {
		params = append(params, v)
	}
	params = params[t.leading():]
	own := p.ownArguments(t, params)
	if !p.secrets(t, own) {
		return
	}
	if own == nil {
		t.Args = p.judge.SchemaOf(params, t.secret())
		return
	}
	t.OwnArgs = true
	if p.judge.EncodesItself(own.Type()) {
		p.ReportAt(own.Pos(), diagnostic.Wire, "rename the type, to have it as a field of the arguments",
			"%s encodes itself; the arguments of a task are encoded field by field", t.Names.Args)
		return
	}
	t.Args = p.judge.SchemaOfStruct(own.Type().Underlying().(*types.Struct))
}

// ownArguments returns the user's struct that is the arguments, or nil.
func (p *packageScan) ownArguments(t *Task, params []*types.Var) *types.TypeName {
	obj, _ := p.scope().Lookup(t.Names.Args).(*types.TypeName)
	if len(params) != 1 || t.Variadic || obj == nil || obj.IsAlias() || !types.Identical(params[0].Type(), obj.Type()) {
		return nil
	}
	if _, ok := obj.Type().Underlying().(*types.Struct); !ok {
		return nil
	}
	return obj
}
