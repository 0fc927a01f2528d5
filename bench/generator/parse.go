package generator

import (
	"context"
	"go/parser"
	"go/token"
	"os/exec"
	"runtime"
	"strings"
	"sync"
)

// Parse lists the packages of the module in the current directory and their
// dependencies, and parses their files, those of the dependencies only if deps
// is set, on all cores. It is what dtaskgen is compared with.
func Parse(ctx context.Context, deps bool) error {
	files := `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`
	if !deps {
		files = `{{if not .DepOnly}}` + files + `{{end}}`
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-deps", "-f", files, "./...").Output()
	if err != nil {
		return err
	}
	next := make(chan string)
	var parsers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		parsers.Go(func() {
			for f := range next {
				parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
			}
		})
	}
	for f := range strings.FieldsSeq(string(out)) {
		next <- f
	}
	close(next)
	parsers.Wait()
	return nil
}
