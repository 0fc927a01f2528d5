// Package corpus tests the generator on code that was not written for it. It
// takes popular modules, marks every function in them that could be a task, and
// generates. A function that cannot be a task must be refused with a diagnostic;
// the rest must compile.
package corpus

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed modules.txt
var list string

// maxRounds bounds how often refused marks are taken out and the generator is
// run again. More than one round is needed: mistakes of a package, such as names
// that are taken, show only when its signatures are right.
const maxRounds = 12

// A Result is what became of the marks in a module.
type Result struct {
	Module   string
	Marked   int            // functions with a directive
	Accepted int            // those that became tasks
	Refused  map[string]int // the others, by reason
	Packages int            // packages with generated code
	Crashed  string         // what dtaskgen said when it broke down
	Broken   []string       // packages whose generated code does not compile
	Stuck    []string       // diagnostics that belong to no mark
}

// Run runs the proof on the modules whose path contains filter, and calls
// report after each. The work is done below dir; dtask is the directory of
// the dtask module.
func Run(ctx context.Context, dtask, dir, filter string, report func(*Result)) error {
	generator := filepath.Join(dir, "dtaskgen")
	build := exec.CommandContext(ctx, "go", "build", "-o", generator, "./cmd/dtaskgen")
	build.Dir = dtask
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build dtaskgen: %w\n%s", err, out)
	}
	lines := bufio.NewScanner(strings.NewReader(list))
	for lines.Scan() {
		path, version, ok := strings.Cut(lines.Text(), " ")
		if !ok || path == "#" || !strings.Contains(path, filter) {
			continue
		}
		m := &module{
			path: path, version: version, generator: generator, dtask: dtask,
			dir: filepath.Join(dir, strings.ReplaceAll(path, "/", "+")),
		}
		result, err := m.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		report(result)
		if result.ok() {
			os.RemoveAll(m.dir) // otherwise it stays, to be examined
		}
	}
	return nil
}

func (r *Result) ok() bool { return r.Crashed == "" && len(r.Broken) == 0 && len(r.Stuck) == 0 }

// run is the proof on one module.
func (m *module) run(ctx context.Context) (*Result, error) {
	if err := m.prepare(ctx); err != nil {
		return nil, err
	}
	marks, err := m.mark(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{Module: m.path + " " + m.version, Marked: len(marks), Refused: make(map[string]int)}
	var crash *crashError
	err = m.settle(ctx, r, marks)
	switch {
	case errors.As(err, &crash):
		r.Crashed = crash.Error()
		return r, nil
	case err != nil:
		return nil, err
	}
	for _, k := range marks {
		if k.refused == "" {
			r.Accepted++
		} else {
			r.Refused[k.refused]++
		}
	}
	if len(r.Stuck) > 0 {
		return r, nil
	}
	return r, m.build(ctx, r, m.generated(marks))
}

// settle generates until nothing is refused any more.
func (m *module) settle(ctx context.Context, r *Result, marks []*mark) error {
	for range maxRounds {
		diags, err := m.generate(ctx)
		if err != nil {
			return err
		}
		if len(diags) == 0 {
			// The generated files have made the module require what dtask does, so
			// that its own requirements may be newer now.
			if _, err := m.generate(ctx); err != nil {
				return err
			}
			_, err := m.generate(ctx, "-check") // nothing may change any more
			return err
		}
		refused := make(map[string][]*mark)
		for _, d := range diags {
			culprits := blame(d, marks)
			if len(culprits) == 0 {
				r.Stuck = append(r.Stuck, fmt.Sprintf("%s:%d: %s", d.File, d.Line, d.Message))
			}
			for _, k := range culprits {
				if k.refused == "" {
					k.refused = reason(d)
					refused[k.file] = append(refused[k.file], k)
				}
			}
		}
		if len(refused) == 0 {
			return nil
		}
		r.Stuck = nil
		for file, ms := range refused {
			if err := unmark(file, ms); err != nil {
				return err
			}
		}
	}
	r.Stuck = append(r.Stuck, fmt.Sprintf("still refused after %d rounds", maxRounds))
	return nil
}

// build compiles the packages with generated code.
func (m *module) build(ctx context.Context, r *Result, dirs []string) error {
	r.Packages = len(dirs)
	if len(dirs) == 0 {
		return nil
	}
	broken, err := m.compile(ctx, dirs)
	if err != nil || len(broken) == 0 {
		return err
	}
	for pkg, message := range broken {
		if strings.Contains(message, "dtask_gen.go") {
			r.Broken = append(r.Broken, pkg+"\n"+message)
			continue
		}
		r.Broken = append(r.Broken, pkg+" (not in the generated file)\n"+message)
	}
	return nil
}
