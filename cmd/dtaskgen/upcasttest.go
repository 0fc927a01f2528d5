package main

import (
	"errors"
	"fmt"
	"go/format"
	"io"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
)

// emitUpcastTest is what -emit is for a test of the upcasters of a package, to begin
// with. It is printed: a person goes on with it.
const emitUpcastTest = "upcasttest"

// upcastTests prints tests of the upcasters of a package:
//
//	func TestUpcastChargeV1(t *testing.T) {
//		got := dtasktest.Upcast(t, ChargeTask, "b0300680dd1df664", `{"customer":"text","amount":"text"}`)
//		…
func upcastTests(modules []*lockedModule, out io.Writer) error {
	var pkg *scan.Package
	var tests strings.Builder
	for _, m := range modules {
		for _, p := range m.pkgs {
			for _, t := range p.Tasks {
				for _, e := range t.Earlier {
					if len(e.Upcast) == 0 {
						continue
					}
					if pkg != nil && pkg != p {
						return fmt.Errorf("-emit upcasttest is for one package, and %s and %s both have upcasters", pkg.Path, p.Path)
					}
					pkg = p
					upcastTest(&tests, t, e, m.next.Task(t.Name))
				}
			}
		}
	}
	if pkg == nil {
		return errors.New("-emit upcasttest: the packages have no upcasters")
	}
	source := "package " + pkg.Name + "\n\nimport (\n\"reflect\"\n\"testing\"\n\n\"github.com/dtaskhq/dtask/runtime/dtasktest\"\n)\n" + tests.String()
	text, err := format.Source([]byte(source))
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

func upcastTest(b *strings.Builder, t *scan.Task, e scan.Earlier, known *lock.Task) {
	v := known.Args.With(e.Schema)
	body := "`" + string(v.Schema.Sample()) + "`"
	if strings.Count(body, "`") > 2 {
		body = strconv.Quote(string(v.Schema.Sample()))
	}
	fmt.Fprintf(b, "\n// What v%d of %s becomes.\nfunc TestUpcast%sV%d(t *testing.T) {\n", v.N, t.Function(), scan.Capitalize(strings.TrimSuffix(t.Names.Args, "Args")), v.N)
	fmt.Fprintf(b, "got := dtasktest.Upcast(t, %s, %q, %s)\n", t.Names.Task, e.Schema, body)
	fmt.Fprintf(b, "want := %s{}\nif !reflect.DeepEqual(got, want) {\nt.Errorf(\"got %%+v, want %%+v\", got, want)\n}\n}\n", t.Names.Args)
}
