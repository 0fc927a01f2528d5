package templates

import (
	"fmt"
	"strings"
	"time"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/scan"
)

// spec emits the policy of a task: the options of its directives, its module, the
// fingerprints of its arguments and its result, the fields of the arguments, its past, and
// its documentation.
func spec(t *scan.Task) *Statement {
	fields := settings(t.Options)
	if t.Cron != nil {
		fields = append(fields, Id("Cron").Op(":").Lit(t.Cron.Schedule))
		fields = append(fields, settings(t.Cron.Options)...)
	}
	fields = append(fields, Id("Module").Op(":").Lit(t.Module))
	fields = append(fields, Id("Schema").Op(":").Lit(t.Args.Fingerprint()))
	if all := t.Args.Lines(); len(all) > 0 {
		fields = append(fields, Id("Fields").Op(":").Index().String().CustomFunc(Options{Open: "{", Close: "}", Separator: ",", Multi: true}, func(g *Group) {
			for _, line := range all {
				g.Lit(line)
			}
		}))
	}
	if t.Returns != nil {
		fields = append(fields, Id("Result").Op(":").Lit(t.Returns.Fingerprint()))
	}
	if len(t.Was) > 0 {
		fields = append(fields, Id("Was").Op(":").Index().String().ValuesFunc(func(g *Group) {
			for _, name := range t.Was {
				g.Lit(name)
			}
		}))
	}
	if len(t.Earlier) > 0 {
		fields = append(fields, Id("Earlier").Op(":").Add(earlier(t.Earlier)))
	}
	if len(t.EarlierResults) > 0 {
		fields = append(fields, Id("EarlierResults").Op(":").Add(earlier(t.EarlierResults)))
	}
	if t.Doc != "" {
		fields = append(fields, Id("Doc").Op(":").Add(lines(t.Doc)))
	}
	return Custom(Options{Open: "{", Close: "}", Separator: ",", Multi: true}, fields...)
}

// lines emits a text with a line of source for each of its lines.
func lines(text string) *Statement {
	s := new(Statement)
	for i, line := range strings.SplitAfter(strings.TrimRight(text, "\n"), "\n") {
		if i > 0 {
			s.Op("+").Line()
		}
		s.Lit(line)
	}
	return s
}

// settings emits the fields that options set, except those that stay zero.
func settings(all directive.Settings) []Code {
	var fields []Code
	for _, s := range all {
		if value := literal(s.Value); s.Field != "" && value != nil {
			fields = append(fields, Id(s.Field).Op(":").Add(value))
		}
	}
	return fields
}

// literal emits the value of an option, or returns nil if the field stays zero. A
// number is always written: people want to see that there are 0 retries.
func literal(value any) *Statement {
	switch v := value.(type) {
	case string, int:
		return Lit(v)
	case bool:
		if v {
			return True()
		}
	case time.Duration:
		if v > 0 {
			return duration(v)
		}
	case directive.Choice:
		return literal(v.Value)
	case directive.Constant:
		return Qual(runtimePath, string(v))
	}
	return nil
}

// units are those of package time, largest first.
var units = []struct {
	unit time.Duration
	name string
}{
	{time.Hour, "Hour"},
	{time.Minute, "Minute"},
	{time.Second, "Second"},
	{time.Millisecond, "Millisecond"},
	{time.Microsecond, "Microsecond"},
	{time.Nanosecond, "Nanosecond"},
}

// duration emits a duration in the largest unit that divides it:
//
//	30 * time.Second
func duration(d time.Duration) *Statement {
	for _, u := range units {
		switch {
		case d == u.unit:
			return Qual(timePath, u.name)
		case d%u.unit == 0:
			return Op(fmt.Sprint(int64(d/u.unit))).Op("*").Qual(timePath, u.name)
		}
	}
	panic("unreachable: every duration is a number of nanoseconds")
}
