// Package generator measures dtaskgen on a large module, beside what the go
// command needs for the same module and beside generators of the same kind.
package generator

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The peers, as the module proxy has them.
const (
	goverterVersion = "github.com/jmattheis/goverter/cmd/goverter@v1.11.1"
	wireVersion     = "github.com/google/wire/cmd/wire@v0.7.0"
)

// A bench is the benchmark in its directory.
type bench struct {
	dtask  string // the directory of the dtask module
	dir    string
	self   string // the binary of this command
	rounds int
	env    []string
	out    io.Writer

	coldCaches bool
}

// Run measures, and prints tables to out. The work is done below dir.
func Run(ctx context.Context, dtask, dir string, rounds int, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{dtask: dtask, dir: dir, self: self, rounds: rounds, env: modEnv, out: out}
	for _, step := range []func(context.Context) error{b.prepare, b.warm, b.withoutTasks, b.cold} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

// prepare builds the generators and writes a module for each, and one for none.
func (b *bench) prepare(ctx context.Context) error {
	dtaskMod := fmt.Sprintf("\nrequire github.com/dtaskhq/dtask v0.0.0\n\nreplace github.com/dtaskhq/dtask => %s\n", b.dtask)
	for _, v := range []variant{
		{"dtask", dtaskFile, dtaskMod},
		{"goverter", goverterFile, ""},
		{"wire", wireFile, "\nrequire github.com/google/wire v0.7.0\n"},
		{"none", nil, ""},
	} {
		if err := writeModule(b.path(v.name), v); err != nil {
			return err
		}
	}
	for _, build := range [][]string{
		{"build", "-C", b.dtask, "-o", b.path("bin", "dtaskgen"), "./cmd/dtaskgen"},
		{"install", goverterVersion},
		{"install", wireVersion},
	} {
		cmd := exec.CommandContext(ctx, "go", build...)
		cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOBIN="+b.path("bin"), "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(build, " "), err, out)
		}
	}
	return nil
}

// generated returns a check that there are as many files of a pattern as there
// are packages, and the step before it that removes them.
func generated(dir, pattern string) (before, check func() error) {
	pattern = filepath.Join(dir, "pkg*", pattern)
	before = func() error {
		files, err := filepath.Glob(pattern)
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
		return err
	}
	check = func() error {
		files, err := filepath.Glob(pattern)
		if err == nil && len(files) != packages {
			err = fmt.Errorf("%d files like %s, not %d", len(files), pattern, packages)
		}
		return err
	}
	return before, check
}

// warm compares generating 1000 tasks with listing and parsing, and with the
// peers.
func (b *bench) warm(ctx context.Context) error {
	dtaskBefore, dtaskCheck := generated(b.path("dtask"), "dtask_gen.go")
	goverterBefore, goverterCheck := generated(b.path("goverter"), "generated/generated.go")
	wireBefore, wireCheck := generated(b.path("wire"), "wire_gen.go")
	dtaskgen := []string{b.path("bin", "dtaskgen"), "./..."}
	return b.compare(ctx, "200 packages, 1000 tasks, warm caches", []*subject{
		{name: "go list -deps, and parsing what it lists", dir: b.path("none"), args: []string{b.self, "parse", "-deps"}},
		{name: "go list -deps, and parsing the module", dir: b.path("none"), args: []string{b.self, "parse"}},
		{name: "dtaskgen, 1000 new tasks", dir: b.path("dtask"), args: dtaskgen, before: dtaskBefore, check: dtaskCheck},
		{name: "dtaskgen, nothing to change", dir: b.path("dtask"), args: dtaskgen, check: dtaskCheck},
		{name: "goverter, 1000 converters", dir: b.path("goverter"), args: []string{b.path("bin", "goverter"), "gen", "./..."}, before: goverterBefore, check: goverterCheck},
		{name: "wire, 1000 injectors", dir: b.path("wire"), args: []string{b.path("bin", "wire"), "gen", "./..."}, before: wireBefore, check: wireCheck},
	})
}

// withoutTasks compares dtaskgen where there is nothing to do with go list.
func (b *bench) withoutTasks(ctx context.Context) error {
	return b.compare(ctx, "The same module without tasks", []*subject{
		{name: "go list ./...", dir: b.path("none"), args: []string{"go", "list", "./..."}},
		{name: "dtaskgen", dir: b.path("none"), args: []string{b.path("bin", "dtaskgen"), "./..."}},
	})
}

// cold compares dtaskgen with building, both with empty build caches. It runs
// each once: a build takes a minute.
func (b *bench) cold(ctx context.Context) error {
	cache := b.path("cache")
	b.env = append(b.env, "GOCACHE="+cache)
	b.rounds = 1
	b.coldCaches = true
	empty := func() error { return os.RemoveAll(cache) }
	remove, check := generated(b.path("dtask"), "dtask_gen.go")
	defer empty()
	return b.compare(ctx, "Empty build cache", []*subject{
		{name: "go build ./...", dir: b.path("none"), args: []string{"go", "build", "./..."}, before: empty},
		{
			name: "dtaskgen", dir: b.path("dtask"), args: []string{b.path("bin", "dtaskgen"), "./..."}, check: check,
			before: func() error {
				if err := remove(); err != nil {
					return err
				}
				return empty()
			},
		},
	})
}

// compare runs every subject in turn, rounds times, and prints the medians. They
// take turns so that what else happens on the machine affects all of them. The
// others are compared with the first subject.
func (b *bench) compare(ctx context.Context, title string, subjects []*subject) error {
	runs := make([][]run, len(subjects))
	for round := range b.rounds + 1 {
		for i, s := range subjects {
			if round == 0 && b.coldCaches {
				continue
			}
			r, err := s.run(ctx, b.env)
			if err != nil {
				return err
			}
			if round > 0 { // the first one warms the caches
				runs[i] = append(runs[i], r)
			}
		}
	}
	fmt.Fprintf(b.out, "\n%s\n\n| | time | ratio | CPU time | ratio | peak memory |\n|---|---|---|---|---|---|\n", title)
	base := median(runs[0])
	for i, s := range subjects {
		m := median(runs[i])
		fmt.Fprintf(b.out, "| %s | %.2f s | %.2f | %.2f s | %.2f | %d MB |\n", s.name,
			m.took.Seconds(), m.took.Seconds()/base.took.Seconds(),
			m.cpu.Seconds(), m.cpu.Seconds()/base.cpu.Seconds(), m.peak>>20)
	}
	return nil
}

// The go command may add checksums to the go.sum of a module.
var modEnv = []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
