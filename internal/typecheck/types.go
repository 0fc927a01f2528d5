package typecheck

import "go/types"

// TypeString returns a type as messages name it: with the names of packages,
// except for the package that the message is about.
func TypeString(about *types.Package, t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p == about {
			return ""
		}
		return p.Name()
	})
}

// IsContext reports whether t is context.Context or an alias of it.
func IsContext(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Context" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "context"
}

var errorType = types.Universe.Lookup("error").Type()

// IsError reports whether t is error or an alias of it.
func IsError(t types.Type) bool { return types.Identical(types.Unalias(t), errorType) }

// ImplementsError reports whether a value of type t can be an error.
func ImplementsError(t types.Type) bool {
	return types.Implements(t, errorType.Underlying().(*types.Interface))
}
