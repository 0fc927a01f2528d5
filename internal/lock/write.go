package lock

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

const head = `# What the messages of each task look like, now and before. dtaskgen writes this
# file with the generated code. Commit it, and read its diff before a deploy.
`

// version is the version of the format.
const version = 1

// Format returns the text of a lock. Equal locks have equal texts.
func (l *Lock) Format() []byte {
	l.sort()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s %d\nmodule %s\n", head, File, version, l.Module)
	for _, name := range slices.Sorted(maps.Keys(l.Opaque)) {
		fmt.Fprintf(&b, "opaque %s %s\n", l.Opaque[name], name)
	}
	for _, t := range l.Tasks {
		fmt.Fprintf(&b, "\ntask %s\n", t.Name)
		fmt.Fprintf(&b, "\tpackage %s\n", t.Package)
		fmt.Fprintf(&b, "\tqueue %s\n", t.Queue)
		for _, name := range t.Was {
			fmt.Fprintf(&b, "\twas %s\n", name)
		}
		if t.Gone != "" {
			fmt.Fprintf(&b, "\tgone %s\n", t.Gone)
		}
		t.Args.format(&b, "args")
		t.Result.format(&b, "result")
	}
	return b.Bytes()
}

func (h History) format(b *bytes.Buffer, what string) {
	for _, v := range h {
		fmt.Fprintf(b, "\t%s v%d %s", what, v.N, v.Fingerprint)
		if v.Left != "" {
			fmt.Fprintf(b, " left %s", v.Left)
		}
		if v.After != "" {
			fmt.Fprintf(b, " after %s", v.After)
		}
		b.WriteByte('\n')
		for _, line := range v.Schema.Lines() {
			fmt.Fprintf(b, "\t\t%s\n", line)
		}
	}
}
