package templates

import (
	"fmt"
	"strings"
	"time"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// maxWireLines bounds how much of a large argument type its task repeats.
const maxWireLines = 60

// definition emits the typed value of a task:
//
//	// SendWelcomeTask is the definition of SendWelcome. Its arguments in a message:
//	//
//	//	to string
//	//	user User
//	//	User.name string
//	var SendWelcomeTask = dtask.Define[SendWelcomeArgs, dtask.None]("mail.SendWelcome", dtask.Spec{
//		Queue:   "mail",
//		Retries: 5,
//		Timeout: 30 * time.Second,
//		Backoff: time.Second,
//		Schema:  "2b7c6c0e5d3f4a11",
//	})
func (w *writer) definition(t *scan.Task) *Statement {
	return doc(definitionDoc(t)).
		Var().Id(t.Names.Task).Op("=").
		Qual(runtimePath, "Define").Types(Id(t.Names.Args), result(t)).
		Call(Lit(t.Name), Qual(runtimePath, "Spec").Add(spec(t)))
}

func definitionDoc(t *scan.Task) string {
	head := fmt.Sprintf("%s is the definition of %s.", t.Names.Task, callee(t))
	if len(t.Wire) == 0 {
		return head
	}
	lines := t.Wire
	if len(lines) > maxWireLines {
		lines = append(lines[:maxWireLines:maxWireLines], fmt.Sprintf("... and %d more lines", len(t.Wire)-maxWireLines))
	}
	return wrap(head+" Its arguments in a message:") + "\n\n\t" + strings.Join(lines, "\n\t")
}

// spec emits the policy. A field is left out where its zero value is meant.
func spec(t *scan.Task) *Statement {
	o := t.Options
	fields := []Code{
		Id("Queue").Op(":").Lit(o.Queue),
		Id("Retries").Op(":").Lit(o.Retries),
	}
	if o.Timeout > 0 {
		fields = append(fields, Id("Timeout").Op(":").Add(duration(o.Timeout)))
	}
	if o.Backoff > 0 {
		fields = append(fields, Id("Backoff").Op(":").Add(duration(o.Backoff)))
	}
	switch o.Priority {
	case "high":
		fields = append(fields, Id("Priority").Op(":").Qual(runtimePath, "PriorityHigh"))
	case "low":
		fields = append(fields, Id("Priority").Op(":").Qual(runtimePath, "PriorityLow"))
	}
	if o.Keep > 0 {
		fields = append(fields, Id("Keep").Op(":").Add(duration(o.Keep)))
	}
	if o.Cron != "" {
		fields = append(fields, Id("Cron").Op(":").Lit(o.Cron))
	}
	if o.SkipMissed {
		fields = append(fields, Id("SkipMissed").Op(":").True())
	}
	fields = append(fields, Id("Schema").Op(":").Lit(t.Schema))
	return Custom(Options{Open: "{", Close: "}", Separator: ",", Multi: true}, fields...)
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
