package doctest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// TestSnippets compiles every Go snippet of the pages: all in one module, each as
// a package of its own, with what dtaskgen makes of it.
func TestSnippets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		skip.Test(t, "builds a module")
	}
	m := newModule(t, "example.com/shop")
	if err := os.CopyFS(m.dir, os.DirFS("testdata/shop")); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.lang != "go" || b.file != "" {
				continue // a file is part of a page that is done, or of a diagnostic
			}
			source, err := complete(p.name, b)
			if err != nil {
				t.Errorf("%s:%d: the snippet is no Go: %v", p.name, b.line, err)
				continue
			}
			folder := strings.ReplaceAll(strings.TrimSuffix(p.name, ".md"), "/", "_")
			write(t, m.dir, fmt.Sprintf("%s/line%d/snippet.go", strings.ToLower(folder), b.line), source)
			count++
		}
	}
	t.Logf("%d snippets", count)
	m.must(t, "go tool dtaskgen ./...")
	if out, err := m.run(t, "go build -gcflags=-e ./..."); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestShownFiles compares the files of the repository that pages show with what
// they show.
func TestShownFiles(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if !strings.HasPrefix(b.file, "example/") && !strings.HasPrefix(b.file, "bench/") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, b.file))
			if err != nil || string(text) != b.text {
				t.Errorf("%s:%d: %s is not as it is shown; %v", p.name, b.line, b.file, err)
			}
		}
	}
}

// complete makes a file of a snippet: it may be one, or declarations, or
// statements. A body { … } stands for any.
func complete(page string, b block) (string, error) {
	abs, err := filepath.Abs(filepath.Join(root, page))
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(b.text, "{ … }", "{ panic(0) }")
	position := fmt.Sprintf("//line %s:%d\n", filepath.ToSlash(abs), b.line)
	if strings.HasPrefix(text, "package ") {
		return position + text, nil
	}
	name := "shop"
	if strings.Contains(text, "\nfunc main()") || strings.HasPrefix(text, "func main()") {
		name = "main"
	}
	imports, text := cutImports(text)
	head := "package " + name + "\n" + imports
	body := position + text
	f, err := parser.ParseFile(token.NewFileSet(), "", head+body, parser.AllErrors)
	if err != nil {
		f, err = parser.ParseFile(token.NewFileSet(), "", head+"func _() {\n"+text+"\n}", parser.AllErrors)
		if err != nil {
			return "", err
		}
		body = "func _() {\n" + position + text + "\n" + use(f) + "}\n"
	}
	return inSetting(head, body, f), nil
}

// cutImports splits off the imports that a snippet begins with.
func cutImports(text string) (imports, rest string) {
	if strings.HasPrefix(text, "import (") {
		if i := strings.Index(text, "\n)\n"); i >= 0 {
			return text[:i+3], text[i+3:]
		}
	}
	for strings.HasPrefix(text, "import ") {
		line, after, _ := strings.Cut(text, "\n")
		imports, text = imports+line+"\n", after
	}
	return imports, text
}

// use uses the variables that the statements of a snippet declare: what follows
// them in a whole program would.
func use(f *ast.File) string {
	var lines strings.Builder
	statements := f.Decls[len(f.Decls)-1].(*ast.FuncDecl).Body.List
	for _, s := range statements {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, v := range a.Lhs {
				if n := v.(*ast.Ident).Name; n != "_" {
					fmt.Fprintf(&lines, "_ = %s\n", n)
				}
			}
		}
	}
	return lines.String()
}

// inSetting adds the imports and declarations that the snippet lacks.
func inSetting(head, body string, f *ast.File) string {
	var imports, more strings.Builder
	added := make(map[string]bool)
	for {
		before := len(added)
		for _, id := range f.Unresolved {
			if added[id.Name] || strings.Contains(head, "/"+id.Name+`"`) || strings.Contains(head, `"`+id.Name+`"`) {
				continue
			}
			if path, ok := packages[id.Name]; ok {
				added[id.Name] = true
				fmt.Fprintf(&imports, "import %q\n", path)
			} else if d, ok := declarations[id.Name]; ok {
				added[id.Name] = true
				fmt.Fprintln(&more, d)
			}
		}
		text := strings.Replace(head, "\n", "\n"+imports.String(), 1) + more.String() + body
		if len(added) == before {
			return text
		}
		var err error
		if f, err = parser.ParseFile(token.NewFileSet(), "", text, 0); err != nil {
			return text // the compiler says it
		}
	}
}
