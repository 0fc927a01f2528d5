package generate_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestDeterminism generates a module with many tasks again and again, from
// packages in another order, and after the functions have changed places.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	c := &testCase{archive: new(txtar.Archive), name: "many", dir: t.TempDir()}
	c.extract(t)
	var patterns []string
	source := func(pkg int, order []int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "package p%d\n\nimport (\n\t\"time\"\n\tv1 \"example.com/many/x/v1\"\n\tv2 \"example.com/many/y/v1\"\n)\n\ntype T struct{}\n", pkg)
		for _, i := range order {
			fmt.Fprintf(&b, "\n//dtask:task queue=q%d\nfunc (t *T) Task%d(a v1.T, b map[string]v2.T, c time.Time) {}\n", i, i)
		}
		return b.String()
	}
	c.write(t, "x/v1/x.go", "package v1\n\ntype T struct{ N int }\n")
	c.write(t, "y/v1/y.go", "package v1\n\ntype T struct{ N int }\n")
	order := rand.Perm(20)
	for pkg := range 5 {
		patterns = append(patterns, fmt.Sprintf("./p%d", pkg))
		c.write(t, fmt.Sprintf("p%d/p.go", pkg), source(pkg, order))
	}
	generate := func() map[string]string {
		rand.Shuffle(len(patterns), func(i, j int) { patterns[i], patterns[j] = patterns[j], patterns[i] })
		r := command(t, c.dir, []string{"GOWORK=off", "GOFLAGS="}, dtaskgen, append([]string{"-q"}, patterns...)...)
		if r.exit != 0 || r.stdout+r.stderr != "" {
			t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
		}
		generated := make(map[string]string)
		for name, text := range c.files(t) {
			if path.Base(name) == "dtask_gen.go" {
				generated[name] = text
			}
		}
		return generated
	}
	first := generate()
	if len(first) != 5 {
		t.Fatalf("%d files", len(first))
	}
	for round := range 5 {
		for name := range first {
			if err := os.Remove(filepath.Join(c.dir, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
		}
		for pkg := range 5 {
			c.write(t, fmt.Sprintf("p%d/p.go", pkg), source(pkg, rand.Perm(20)))
		}
		if again := generate(); !maps.Equal(first, again) {
			t.Errorf("round %d: the files differ", round)
		}
	}
}
