package typecheck

import (
	"go/ast"
	"go/types"
)

// Lookup returns the object of a function of a package, and the type of its
// receiver if it is a method. The object is nil if the declaration has an error.
func Lookup(pkg *types.Package, fn *ast.FuncDecl) (*types.Func, *types.Named) {
	if fn.Recv == nil {
		obj, _ := pkg.Scope().Lookup(fn.Name.Name).(*types.Func)
		if obj == nil || obj.Pos() != fn.Name.Pos() {
			return nil, nil
		}
		return obj, nil
	}
	name, _ := ReceiverName(fn.Recv)
	typeName, _ := pkg.Scope().Lookup(name).(*types.TypeName)
	if typeName == nil {
		return nil, nil
	}
	named, _ := types.Unalias(typeName.Type()).(*types.Named)
	if pointer, ok := types.Unalias(typeName.Type()).(*types.Pointer); ok { // type P = *T
		named, _ = types.Unalias(pointer.Elem()).(*types.Named)
	}
	if named == nil {
		return nil, nil
	}
	for obj := range named.Methods() {
		if obj.Pos() == fn.Name.Pos() {
			return obj, named
		}
	}
	return nil, nil
}

// ReceiverName returns the name of the receiver's type, and whether it has type
// parameters.
func ReceiverName(recv *ast.FieldList) (name string, generic bool) {
	if len(recv.List) != 1 {
		return "", false
	}
	for e := recv.List[0].Type; ; {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e, generic = x.X, true
		case *ast.IndexListExpr:
			e, generic = x.X, true
		case *ast.Ident:
			return x.Name, generic
		default:
			return "", generic
		}
	}
}
