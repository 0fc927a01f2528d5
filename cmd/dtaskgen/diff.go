package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// diffs prints what would change, and reports whether anything would.
func (p *printer) diffs(files []*file) (changes bool, err error) {
	for _, f := range files {
		if !f.changes() {
			continue
		}
		changes = true
		name := filepath.ToSlash(p.relative(f.path))
		d := difflib.UnifiedDiff{
			A: lines(f.old), FromFile: name,
			B: lines(f.new), ToFile: name,
			Context: 3,
		}
		switch {
		case f.old == nil:
			d.FromFile = "/dev/null"
		case f.new == nil:
			d.ToFile = "/dev/null"
		}
		if err := difflib.WriteUnifiedDiff(p.out, d); err != nil {
			return changes, fmt.Errorf("cannot print the diff: %w", err)
		}
	}
	return changes, nil
}

// lines splits text into lines with their ends.
func lines(text []byte) []string {
	split := strings.SplitAfter(string(text), "\n")
	if last := len(split) - 1; split[last] == "" {
		return split[:last]
	}
	return split
}
