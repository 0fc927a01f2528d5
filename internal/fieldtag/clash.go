package fieldtag

import (
	"fmt"
	"slices"
	"strings"
)

// A Field is a field of an object in JSON.
type Field struct {
	Name string // in JSON
	Was  []string
	Go   string // as its user calls it
}

// A Clash is a tag that claims a name that another field has, or claims too. A
// message that has such a name could mean either.
type Clash struct {
	Index        int // of the field with the tag
	Reason, Hint string
}

// Clashes returns the clashes among the fields of an object.
func Clashes(fields []Field) []Clash {
	var all []Clash
	for i, f := range fields {
		for _, was := range f.Was {
			for j, g := range fields {
				switch {
				case i == j && g.Name == was:
					all = append(all, Clash{i, fmt.Sprintf("it was %s, and is still", was), "write the name that it had in JSON"})
				case i != j && strings.EqualFold(g.Name, was):
					all = append(all, Clash{i, fmt.Sprintf("it was %s, but %s has that name still", was, g.Go), "remove one of the two"})
				case j < i && slices.Contains(g.Was, was):
					all = append(all, Clash{i, fmt.Sprintf("it was %s, and so was %s", was, g.Go), "say it of one of the two"})
				}
			}
		}
	}
	return all
}
