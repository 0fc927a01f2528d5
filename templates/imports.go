package templates

import (
	"bytes"
	"strings"
)

// groupImports puts the standard library in front of the other imports, as
// goimports does. Within a group the order is jennifer's: by path.
//
//	import (
//		"context"
//		"time"
//
//	//	)
func groupImports(src []byte) []byte {
	before, rest, ok := bytes.Cut(src, []byte("\nimport (\n"))
	if !ok {
		return src
	}
	block, after, _ := bytes.Cut(rest, []byte("\n)\n"))
	var std, others []string
	for line := range strings.SplitSeq(string(block), "\n") {
		_, path, _ := strings.Cut(line, `"`)
		first, _, _ := strings.Cut(path, "/")
		if strings.Contains(first, ".") {
			others = append(others, line)
		} else {
			std = append(std, line)
		}
	}
	groups := strings.Join(std, "\n") + "\n\n" + strings.Join(others, "\n")
	return []byte(string(before) + "\nimport (\n" + groups + "\n)\n" + string(after))
}
