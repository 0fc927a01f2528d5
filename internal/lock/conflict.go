package lock

import (
	"bytes"
	"cmp"
	"slices"
)

// marks are what git writes around the two sides of a conflict. What follows the
// second is their common ancestor.
var marks = [][]byte{[]byte("<<<<<<< "), []byte("||||||| "), []byte("======="), []byte(">>>>>>> ")}

func conflicted(text []byte) bool {
	return slices.ContainsFunc(marks, func(mark []byte) bool {
		return bytes.HasPrefix(text, mark) || bytes.Contains(text, append([]byte("\n"), mark...))
	})
}

// sides returns the two sides of a file with conflicts.
func sides(text []byte) (ours, theirs []byte) {
	const (
		both = iota
		inOurs
		inAncestor
		inTheirs
	)
	in := both
	for line := range bytes.Lines(text) {
		switch {
		case bytes.HasPrefix(line, marks[0]):
			in = inOurs
		case in == inOurs && bytes.HasPrefix(line, marks[1]):
			in = inAncestor
		case in != both && bytes.HasPrefix(line, marks[2]):
			in = inTheirs
		case bytes.HasPrefix(line, marks[3]):
			in = both
		default:
			if in == both || in == inOurs {
				ours = append(ours, line...)
			}
			if in == both || in == inTheirs {
				theirs = append(theirs, line...)
			}
		}
	}
	return ours, theirs
}

// join returns a lock that knows what either of two knows. Where both have a
// present version of their own, the one of ours is present and theirs is left:
// dtaskgen finds out from the source which it is.
func join(ours, theirs *Lock, today string) *Lock {
	for name, version := range theirs.Opaque {
		if ours.Opaque == nil {
			ours.Opaque = make(map[string]string)
		}
		ours.Opaque[name] = cmp.Or(ours.Opaque[name], version)
	}
	for _, t := range theirs.Tasks {
		own := ours.Task(t.Name)
		if own == nil {
			ours.Tasks = append(ours.Tasks, t)
			continue
		}
		own.Args.join(t.Args, today)
		own.Result.join(t.Result, today)
		if t.Gone == "" {
			own.Gone = ""
		}
		for _, name := range t.Was {
			if !slices.Contains(own.Was, name) {
				own.Was = append(own.Was, name)
			}
		}
	}
	return ours
}

func (h *History) join(theirs History, today string) {
	theirs.sort()
	for _, v := range slices.Backward(theirs) {
		own := h.With(v.Fingerprint)
		if own != nil {
			continue
		}
		if slices.ContainsFunc(*h, func(o *Version) bool { return o.N == v.N }) {
			v.N = h.last() + 1
		}
		if v.Left == "" && h.Present() != nil {
			v.Left = today
		}
		*h = append(*h, v)
	}
}
