package generate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the types of TestCases/run/random; 0 takes one at random")

// A randomCase lets dtaskgen judge structs made at random, of fields, tags and
// embedded types that get in each other's way. What it accepts must compile and
// come back equal; what it refuses is left out.
//
// The types that encode themselves, the random values and the comparison are
// those of testdata/roundtrip.txtar.
type randomCase struct {
	*testCase
	seed   uint64
	source *typeSource
}

// newRandomCase generates the case in a directory below workspace.
func newRandomCase(t *testing.T, workspace string) *randomCase {
	const count = 100
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	source := &typeSource{r: rand.New(rand.NewPCG(seed, 0))}
	for i := range count {
		source.declare(i)
	}

	a, err := txtar.ParseFile("testdata/roundtrip.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Files {
		a.Files[i].Data = bytes.ReplaceAll(a.Files[i].Data, []byte("example.com/roundtrip"), []byte("example.com/random"))
	}
	c := &testCase{name: "random", archive: a, dir: filepath.Join(workspace, "random")}
	c.extract(t)
	c.write(t, "types.go", source.String())
	accepted := make([]bool, count)
	for i := range accepted {
		accepted[i] = true
	}
	c.write(t, "tasks.go", randomTasks(accepted))

	env := []string{"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off"}
	r := command(t, c.dir, env, dtaskgen, "-json", ".")
	refused := 0
	for line := range strings.Lines(r.stderr) {
		var d struct{ Message, Code string }
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		var i int
		if _, err := fmt.Sscanf(d.Message, "Task%d:", &i); err != nil || d.Code != "wire" {
			t.Fatalf("unexpected diagnostic, seed %d: %s", seed, line)
		}
		if accepted[i] {
			accepted[i] = false
			refused++
		}
	}
	t.Logf("%d of %d types refused", refused, count)
	if refused == 0 || refused > count*9/10 {
		t.Errorf("%d of %d types refused: the mixture is wrong", refused, count)
	}

	c.write(t, "run/main.go", randomMain(accepted))
	c.write(t, "tasks.go", randomTasks(accepted))
	if r := command(t, c.dir, env, dtaskgen, "."); r.exit != 0 {
		t.Fatalf("seed %d: %s", seed, r.stderr)
	}
	return &randomCase{c, seed, source}
}

// randomTasks returns a task for each struct that is accepted.
func randomTasks(accepted []bool) string {
	var b strings.Builder
	b.WriteString("package a\n")
	for i, ok := range accepted {
		if ok {
			fmt.Fprintf(&b, "\n//dtask:task\nfunc Task%d(v S%d, p *S%d, l []S%d) { Got = []any{v, p, l} }\n", i, i, i, i)
		}
	}
	return b.String()
}

// randomMain returns what checks the tasks.
func randomMain(accepted []bool) string {
	var b strings.Builder
	b.WriteString(`package run

import (
	"context"

	a "example.com/random"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

func Main() {
	ctx := dtask.NewContext(context.Background(), dtasktest.NewInline(a.Tasks()))
`)
	for i, ok := range accepted {
		if ok {
			fmt.Fprintf(&b, "\tcheck(ctx, a.Task%dTask, 100)\n", i)
		}
	}
	return b.String() + "}\n"
}

func (c *randomCase) run(t *testing.T, program string) {
	if r := command(t, c.dir, nil, program, c.name); r.exit != 0 {
		t.Errorf("seed %d: %s%s\n%s", c.seed, r.stdout, r.stderr, c.source)
	}
}

// A typeSource writes declarations of random structs: S0, s0, S1, s1, …
type typeSource struct {
	strings.Builder
	r *rand.Rand
	n int // how many are declared
}

func (s *typeSource) pick(words ...string) string { return words[s.r.IntN(len(words))] }

// randomHead begins the file. Beside the types of roundtrip.txtar it declares some
// with methods that only version 2 of encoding/json knows: Twice has them beside
// those of version 1, the other two are refused.
const randomHead = "package a\n" + `
import (
	"fmt"
	"strconv"
	"time"
)

var _ time.Time

type G[T any] struct {
	V T ` + "`json:\"v\"`" + `
	More []G[T]
}

type Twice int64

func (t Twice) AppendText(b []byte) ([]byte, error) { return strconv.AppendInt(b, int64(t), 10), nil }

func (t Twice) MarshalText() ([]byte, error) { return t.AppendText(nil) }

func (t *Twice) UnmarshalText(b []byte) error {
	n, err := strconv.ParseInt(string(b), 10, 64)
	*t = Twice(n)
	return err
}

type Adder struct{ N int }

func (a Adder) AppendText(b []byte) ([]byte, error) { return append(b, 'x'), nil }

type Carrier struct {
	Twice
	Port int
}

func (c Carrier) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d:%d", c.Twice, c.Port), nil }

func (c *Carrier) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d:%d", (*int64)(&c.Twice), &c.Port)
	return err
}
`

// declare writes the exported and the unexported struct number i.
func (s *typeSource) declare(i int) {
	if i == 0 {
		s.WriteString(randomHead)
	}
	for _, name := range []string{"S", "s"} {
		fmt.Fprintf(s, "\ntype %s%d struct {\n", name, i)
		taken := make(map[string]bool)
		for range 1 + s.r.IntN(4) {
			s.field(taken)
		}
		s.WriteString("}\n")
	}
	s.n = i + 1
}

// field writes a field, unless its name is taken.
func (s *typeSource) field(taken map[string]bool) {
	if s.r.IntN(5) == 0 {
		typ := s.pick("Level", "Opaque", "Kind", "time.Time", "Point")
		if s.n > 0 && s.r.IntN(8) > 0 {
			typ = fmt.Sprintf("%s%d", s.pick("S", "S", "s"), s.r.IntN(s.n))
		}
		name := strings.TrimPrefix(typ, "time.")
		if !taken[name] {
			taken[name] = true
			fmt.Fprintf(s, "\t%s%s %s\n", s.pick("", "", "*"), typ, s.tag(""))
		}
		return
	}
	name := s.pick("A", "B", "C", "D", "E", "F", "Id", "ID", "x")
	if !taken[name] {
		taken[name] = true
		typ := s.typ(3)
		fmt.Fprintf(s, "\t%s %s %s\n", name, typ, s.tag(typ))
	}
}

func (s *typeSource) tag(typ string) string {
	switch s.r.IntN(12) {
	case 0:
		return "`json:\"" + s.pick("A", "b", "other", "-,") + "\"`"
	case 1:
		return "`json:\"-\"`"
	case 2:
		return "`json:\",string\"`"
	case 3:
		if s.r.IntN(6) == 0 {
			return "`json:\"" + s.pick(",format:hex", ",case:strict", ",embed", ",string;x", "™", "it's", ",omitempty x") + "\"`"
		}
		// Other types do not come back equal then, and need not: an empty slice
		// becomes nil, and a negative zero a positive one.
		if slices.Contains([]string{"bool", "int64", "string", "Kind", "Level"}, typ) || strings.HasPrefix(typ, "*") {
			return "`json:\"," + s.pick("omitempty", "omitzero") + "\"`"
		}
	}
	return ""
}

// typ returns a type.
func (s *typeSource) typ(depth int) string {
	if s.r.IntN(60) == 0 {
		return s.pick("Adder", "Carrier", "map[Adder]int", "map[Carrier]int")
	}
	if depth == 0 || s.r.IntN(3) == 0 {
		return s.pick("bool", "int64", "uint8", "float64", "string", "rune", "Kind", "Name", "Bytes", "Octets",
			"time.Time", "time.Duration", "Level", "Point", "*Opaque", "Opaque", "Twice")
	}
	switch s.r.IntN(8) {
	case 0:
		return "[]" + s.typ(depth-1)
	case 1:
		return "[2]" + s.typ(depth-1)
	case 2, 3:
		return "map[" + s.pick("string", "int", "uint8", "Kind", "Name", "Level", "Point", "Twice") + "]" + s.typ(depth-1)
	case 4:
		return "*" + s.typ(depth-1)
	case 5:
		return "G[" + s.typ(depth-1) + "]"
	case 6:
		return "struct{ A " + s.typ(depth-1) + "; B *" + s.typ(depth-1) + " }"
	}
	if s.n == 0 {
		return "int"
	}
	return fmt.Sprintf("%s%d", s.pick("S", "s", "*S", "[]s"), s.r.IntN(s.n))
}
