package scan

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

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
			var o Options
			var name string
			if message, hint := o.set(a.key, a.value, &name); (message == "") != (hint == "") {
				t.Errorf("%q: message %q, hint %q", line, message, hint)
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
		d, ok := recognise(&ast.Comment{Slash: 1, Text: text})
		if !ok {
			return
		}
		if d.flaw != "" && nearest(d.name, directives) == "" {
			t.Errorf("%q: recognised as %q", text, d.name)
		}
		if d.argsPos > token.Pos(len(text)+1) {
			t.Errorf("%q: arguments at %d", text, d.argsPos)
		}
		if message, hint := checkCron(d.args); (message == "") != (hint == "") {
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
		if near := nearest(test.got, optionNames); near != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.got, near, test.want)
		}
	}
}
