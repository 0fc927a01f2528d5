package jsonwire

import (
	"slices"
	"strings"
)

// dominant returns the field that Go's rules choose among fields of one name:
// the least nested one, and among several the one with a tag. If that still leaves
// several, there is none.
func dominant(fields []jsonField) (jsonField, bool) {
	best := slices.MinFunc(fields, compareDominance)
	n := 0
	for _, f := range fields {
		if compareDominance(f, best) == 0 {
			n++
		}
	}
	return best, n == 1
}

func compareDominance(a, b jsonField) int {
	switch {
	case a.depth != b.depth:
		return a.depth - b.depth
	case a.tagged == b.tagged:
		return 0
	case a.tagged:
		return -1
	}
	return 1
}

// foldDuplicates returns the fields whose names differ from an earlier one's
// in case only. If a message leaves one of the two out, the decoder gives it the
// value of the other.
func foldDuplicates(fields []jsonField) []lostField {
	var lost []lostField
	for i, f := range fields {
		for _, g := range fields[:i] {
			if strings.EqualFold(f.name, g.name) {
				lost = append(lost, lostField{
					f.path, f.v,
					"its name in JSON, " + f.name + ", differs from that of " + g.path + " in case only",
					"give one of the two another name in its json tag",
				})
			}
		}
	}
	return lost
}
