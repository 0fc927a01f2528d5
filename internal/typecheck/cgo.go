package typecheck

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/astutil"
)

// cTypePrefix is what cgo puts in front of the name of a type of C.
const cTypePrefix = "_Ctype_"

// renameC replaces the types of C in a declaration by the names that cgo gives
// them: C.int becomes _Ctype_int. So nothing has to import C or run cgo.
func (s *source) renameC(d decl) {
	if d.file.imports["C"] == nil {
		return
	}
	astutil.Apply(d.Decl, func(c *astutil.Cursor) bool {
		sel, ok := c.Node().(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "C" {
			id := &ast.Ident{NamePos: x.NamePos, Name: cTypePrefix + sel.Sel.Name}
			s.cTypes[id.Name] = true
			c.Replace(id)
			return false
		}
		return true
	}, nil)
}

// typeOfC returns what stands for a type of C. Types that are defined by it have
// its field, by which [IsOfC] knows them.
func typeOfC() *ast.StructType {
	field := &ast.Field{Names: []*ast.Ident{ast.NewIdent(cTypePrefix)}, Type: emptyStruct(token.NoPos)}
	return &ast.StructType{Fields: &ast.FieldList{List: []*ast.Field{field}}}
}

// IsOfC reports whether a struct stands for a type of C.
func IsOfC(st *types.Struct) bool {
	return st.NumFields() == 1 && st.Field(0).Name() == cTypePrefix
}
