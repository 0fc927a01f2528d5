package generator

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The size of the module.
const (
	packages = 200
	tasks    = 5  // a package
	files    = 10 // a package, beside the one with the tasks
	funcs    = 12 // a file
)

const modulePath = "example.com/big"

// A variant is what the generator that is measured finds in each package.
type variant struct {
	name string
	file func(pkg int) string // the content of its file, or nil for none
	mod  string               // what go.mod requires besides
}

// writeModule writes a module of 200 packages, each of which imports the one
// before it and some of the standard library.
func writeModule(dir string, v variant) error {
	if err := write(dir, "go.mod", fmt.Sprintf("module %s\n\ngo 1.26.0\n%s", modulePath, v.mod)); err != nil {
		return err
	}
	for p := range packages {
		pkg := filepath.Join(dir, packageName(p))
		for f := range files {
			if err := write(pkg, fmt.Sprintf("file%02d.go", f), filler(p, f)); err != nil {
				return err
			}
		}
		if err := write(pkg, "types.go", types(p)); err != nil {
			return err
		}
		if v.file == nil {
			continue
		}
		if err := write(pkg, v.name+".go", v.file(p)); err != nil {
			return err
		}
	}
	return nil
}

func packageName(p int) string { return fmt.Sprintf("pkg%03d", p) }

func write(dir, name, content string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
}

// types declares what tasks, converters and injectors have for parameters.
func types(p int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport \"time\"\n", packageName(p))
	for t := range tasks {
		fmt.Fprintf(&b, `
// Order%[1]d is what is shipped.
type Order%[1]d struct {
	ID     int64
	Email  string
	At     time.Time
	Tags   []string
	Ship   Address%[1]d
}

// Address%[1]d is where it goes.
type Address%[1]d struct {
	Street, City, Zip string
	Weight            float64
}
`, t)
	}
	return b.String()
}

// filler is ordinary code: a type with methods, constants, functions with
// bodies.
func filler(p, f int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `package %s

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
`, packageName(p))
	if p > 0 && f == 0 {
		fmt.Fprintf(&b, "\n\t%q\n", modulePath+"/"+packageName(p-1))
	}
	fmt.Fprintf(&b, `)

// Store%[1]d keeps values by name.
type Store%[1]d struct {
	client *http.Client
	values map[string][]string
}
`, f)
	if p > 0 && f == 0 {
		fmt.Fprintf(&b, "\n// Before is the store of the package below.\ntype Before = %s.Store0\n", packageName(p-1))
	}
	for i := range funcs {
		fmt.Fprintf(&b, `
// Value%[2]d returns the values of a name, sorted and without the empty ones.
func (s *Store%[1]d) Value%[2]d(name string, limit int) ([]string, error) {
	if limit < 0 {
		return nil, errors.New("limit is negative")
	}
	found, ok := s.values[strings.ToLower(name)]
	if !ok {
		return nil, fmt.Errorf("no value %%q", name)
	}
	var out []string
	for _, v := range found {
		if v = strings.TrimSpace(v); v != "" && len(out) < limit {
			out = append(out, v)
		}
	}
	sort.Strings(out)
	return out, nil
}
`, f, i)
	}
	return b.String()
}

// dtaskFile has five tasks.
func dtaskFile(p int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport \"context\"\n", packageName(p))
	for t := range tasks {
		fmt.Fprintf(&b, `
// Ship%[1]d ships an order.
//
//dtask:task queue=shipping retries=5 timeout=30s
func Ship%[1]d(ctx context.Context, order Order%[1]d, express bool) error {
	if !express && len(order.Tags) == 0 {
		return nil
	}
	return ctx.Err()
}
`, t)
	}
	return b.String()
}

// goverterFile has five converters.
func goverterFile(p int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport \"time\"\n", packageName(p))
	for t := range tasks {
		fmt.Fprintf(&b, `
// Parcel%[1]d is an order as the carrier has it.
type Parcel%[1]d struct {
	ID    int64
	Email string
	At    time.Time
	Tags  []string
	Ship  Address%[1]d
}

// Converter%[1]d makes parcels of orders.
//
// goverter:converter
// goverter:skipCopySameType
type Converter%[1]d interface {
	Parcel(source Order%[1]d) Parcel%[1]d
}
`, t)
	}
	return b.String()
}

// wireFile has five injectors, and their providers.
func wireFile(p int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "//go:build wireinject\n\npackage %s\n\nimport \"github.com/google/wire\"\n", packageName(p))
	for t := range tasks {
		fmt.Fprintf(&b, `
func newOrder%[1]d(a Address%[1]d) Order%[1]d { return Order%[1]d{Ship: a} }

func newAddress%[1]d(street string) Address%[1]d { return Address%[1]d{Street: street} }

// InitOrder%[1]d makes an order.
func InitOrder%[1]d(street string) Order%[1]d {
	wire.Build(newOrder%[1]d, newAddress%[1]d)
	return Order%[1]d{}
}
`, t)
	}
	return b.String()
}
