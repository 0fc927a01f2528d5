package templates

import (
	"go/parser"
	"go/token"
	"path"
	"strconv"
)

// importNames returns the names of the imports in a generated file by their paths.
// A file that is damaged above the end of its imports has none.
func importNames(src []byte) map[string]string {
	found := make(map[string]string)
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ImportsOnly)
	if err != nil {
		return found
	}
	for _, spec := range f.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil {
			found[importPath] = spec.Name.Name
		} else {
			found[importPath] = path.Base(importPath)
		}
	}
	return found
}
