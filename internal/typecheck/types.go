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

// IsTransaction reports whether t is *sql.Tx, or pgx.Tx of version 5.
func IsTransaction(t types.Type) bool {
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		return isTx(pointer.Elem(), "database/sql")
	}
	return isTx(t, "github.com/jackc/pgx/v5")
}

func isTx(t types.Type, path string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == "Tx" && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

var errorType = types.Universe.Lookup("error").Type()

// IsError reports whether t is error or an alias of it.
func IsError(t types.Type) bool { return types.Identical(types.Unalias(t), errorType) }

// ImplementsError reports whether a value of type t can be an error.
func ImplementsError(t types.Type) bool {
	return types.Implements(t, errorType.Underlying().(*types.Interface))
}
