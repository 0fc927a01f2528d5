package directive

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

func TestDefaultsAreValues(t *testing.T) {
	for _, o := range Options {
		if value, remedy := o.parse(o.Default); o.Default != "" && value == nil {
			t.Errorf("the default %s=%s: %s", o.Key, o.Default, remedy)
		}
	}
}

// FuzzArguments feeds the parser of options any line. What it returns must be
// where it says, and be what Go quotes or the line holds.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"", "queue=mail", "queue=mail retries=5", `name="a b" queue=x`, "name=`x`", `a="\u00e9"`, "=x", "a=", "a = b",
		`a="`, `a="b"c`, "x // y", "\u00a0a=b\u3000c=d", "é=名", "a==b", `a='b'`, "a=\xff",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args, err := parseArguments(line, 1)
		for _, a := range args {
			at, value := int(a.pos)-1, int(a.valuePos)-1
			if !strings.HasPrefix(line[at:], a.key+"=") || value != at+len(a.key)+1 || a.key == "" || a.value == "" {
				t.Errorf("%q: %+v", line, a)
			}
			if q := line[value]; q != '"' && q != '`' && !strings.HasPrefix(line[value:], a.value) {
				t.Errorf("%q: %+v", line, a)
			}
			o := optionOf(Task, a.key)
			if o == nil {
				continue
			}
			if value, remedy := o.parse(a.value); (value == nil) != (remedy != "") {
				t.Errorf("%q: value %v, remedy %q", line, value, remedy)
			}
		}
		if err != nil && (err.message == "" || err.hint == "" || err.pos < 1 || int(err.pos)-1 > len(line)) {
			t.Errorf("%q: %+v", line, err)
		}
	})
}

// FuzzDirective feeds the recognition any comment, and the schedules any line.
func FuzzDirective(f *testing.F) {
	for _, text := range []string{
		"//dtask:task", "// dtask:task", "//dtask: task", "//Dtask:task", "/* dtask:task */", "//dtask:cron 0 3 * * *",
		"//dtask:", "//:", "/**/", "//\tdtask:task", "/*dtask:*/", "//dtask:cron CRON_TZ=UTC @daily", "//dtask:cron */0 * * * *",
		"//dtask:cron 0 0 31 2 *", "//dtask:cron @every 1s", "//dtask:cron 0-59/70 * * * *",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !strings.HasPrefix(text, "//") && !strings.HasPrefix(text, "/*") {
			return // no comment
		}
		d, ok := Recognise(&ast.Comment{Slash: 1, Text: text})
		if !ok {
			return
		}
		if d.flaw != "" && nearest(d.Name, names()) == "" {
			t.Errorf("%q: recognised as %q", text, d.Name)
		}
		if d.ArgsPos > token.Pos(len(text)+1) {
			t.Errorf("%q: arguments at %d", text, d.ArgsPos)
		}
		if message, hint := checkSchedule(d.Args); (message == "") != (hint == "") {
			t.Errorf("%q: message %q, hint %q", text, message, hint)
		}
	})
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{"queu", "queue"},
		{"quue", "queue"},
		{"retry", "retries"},
		{"time_out", "timeout"},
		{"prio", "priority"},
		{"x", ""},
		{"concurrency", ""},
		{"", ""},
	} {
		if near := nearest(test.got, keys(Task)); near != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.got, near, test.want)
		}
	}
}
