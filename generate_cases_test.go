package generate_test

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/tools/txtar"
)

// TestCases generates every case, then compiles and vets all that succeeded,
// and runs what there is to run.
func TestCases(t *testing.T) {
	t.Parallel()
	cases := loadCases(t)
	results := make([][]txtar.File, len(cases))
	t.Run("generate", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				results[i] = c.generate(t)
				if !c.runnable() {
					c.compare(t, results[i])
				}
			})
		}
	})
	var compiled, runnable []*testCase
	for i, c := range cases {
		if generated(results[i]) {
			compiled = append(compiled, c)
		}
		if c.runnable() {
			runnable = append(runnable, c)
		}
	}
	if len(compiled) == 0 {
		t.Fatal("no case was generated")
	}
	random := newRandomCase(t, filepath.Dir(cases[0].dir))
	w := newWorkspace(t, append(compiled, random.testCase))
	t.Run("compile", func(t *testing.T) { w.vet(t, compiled) }) // go vet would refuse random tags
	t.Run("run", func(t *testing.T) {
		program := w.program(t, append(runnable, random.testCase))
		t.Run("random", func(t *testing.T) { random.run(t, program) })
		for i, c := range cases {
			if !c.runnable() {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				r := command(t, c.dir, nil, program, c.name)
				if r.exit != 0 {
					t.Errorf("exit %d: %s", r.exit, r.stderr)
				}
				c.compare(t, append(results[i], txtar.File{Name: "want/run", Data: []byte(r.stdout)}))
			})
		}
	})
}

// runnable reports whether the case has a package to run.
func (c *testCase) runnable() bool {
	return slices.ContainsFunc(c.archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "run/") })
}

// generated reports whether dtaskgen wrote something.
func generated(files []txtar.File) bool {
	return slices.ContainsFunc(files, func(f txtar.File) bool { return path.Base(f.Name) == "dtask_gen.go" })
}

// generate runs dtaskgen as the case says and returns what there is to compare:
// the want/ files.
func (c *testCase) generate(t *testing.T) []txtar.File {
	args := []string{"./..."}
	if text, ok := c.get("args"); ok {
		args = strings.Fields(text)
	}
	// Cases are modules on their own: no workspace, and nothing from the net.
	env := []string{"GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod", "SOURCE_DATE_EPOCH=1764115200"}
	if text, ok := c.get("env"); ok {
		env = append(env, strings.Fields(text)...)
	}
	before := c.files(t)
	r := command(t, c.dir, env, dtaskgen, args...)
	after := c.files(t)

	var got []txtar.File
	add := func(name, text string) {
		if text != "" {
			got = append(got, txtar.File{Name: wantPrefix + name, Data: []byte(text)})
		}
	}
	if r.exit != 0 {
		add("exit", fmt.Sprintln(r.exit))
	}
	add("stdout", c.portable(r.stdout))
	add("stderr", c.portable(r.stderr))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			add(name, after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			add(name, "removed\n")
		}
	}
	if r.exit != 0 && len(got) > 0 {
		for _, f := range got {
			if strings.HasSuffix(f.Name, ".go") {
				t.Errorf("%s changed, though dtaskgen failed", f.Name)
			}
		}
	}
	return got
}

// portable replaces what differs from one machine to the next.
func (c *testCase) portable(s string) string {
	return filepath.ToSlash(strings.ReplaceAll(s, c.dir, "$DIR"))
}

// compare checks the want/ files of the case, or rewrites them.
func (c *testCase) compare(t *testing.T, got []txtar.File) {
	t.Helper()
	var inputs, want []txtar.File
	for _, f := range c.archive.Files {
		if strings.HasPrefix(f.Name, wantPrefix) {
			want = append(want, f)
		} else {
			inputs = append(inputs, f)
		}
	}
	if *update {
		c.archive.Files = append(inputs, got...)
		if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	text := func(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }
	if text(got) == text(want) {
		return
	}
	diff, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(text(want)), FromFile: c.file,
		B: difflib.SplitLines(text(got)), ToFile: "got",
		Context: 3,
	})
	t.Errorf("run the test with -update if this is right (%v):\n%s", err, diff)
}
