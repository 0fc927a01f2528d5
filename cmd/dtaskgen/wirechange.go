package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/templates"
)

// wireChanges returns a warning for every task whose waiting messages may not run
// with the new files: the task is gone, or its arguments change.
func wireChanges(pkgs []*scan.Package, files []*file) []*diagnostic.Diagnostic {
	tasks := make(map[string]*scan.Task)
	for _, p := range pkgs {
		for _, t := range p.Tasks {
			tasks[t.Name] = t
		}
	}
	var changes []*diagnostic.Diagnostic
	for _, f := range files {
		old := templates.Definitions(f.path, f.old)
		for _, name := range slices.Sorted(maps.Keys(old)) {
			if d := wireChange(name, old[name], tasks[name]); d != nil {
				changes = append(changes, d)
			}
		}
	}
	return changes
}

func wireChange(name string, old templates.Definition, t *scan.Task) *diagnostic.Diagnostic {
	switch {
	case t == nil:
		return &diagnostic.Diagnostic{
			Pos: old.Pos, Code: diagnostic.WireChange, Warning: true,
			Message: fmt.Sprintf("task %s is gone: its waiting messages will be handed back, then moved to the dead letters", name),
			Hint:    fmt.Sprintf("if the function was renamed, keep the name of the task with name=%s", name),
		}
	case t.Schema == old.Schema:
		return nil
	}
	var differences []string
	for _, line := range old.Wire {
		if !slices.Contains(t.Wire, line) {
			differences = append(differences, "- "+line)
		}
	}
	for _, line := range t.Wire {
		if !slices.Contains(old.Wire, line) {
			differences = append(differences, "+ "+line)
		}
	}
	d := &diagnostic.Diagnostic{
		Pos: t.Pos, Code: diagnostic.WireChange, Warning: true,
		Message: fmt.Sprintf("the message of %s changes: waiting ones are run only if they decode exactly", name),
		Hint:    "let the queue run dry before old workers are gone, or mark a new function and keep this one meanwhile",
	}
	for _, line := range differences {
		d.Chain = append(d.Chain, diagnostic.Step{Text: line})
	}
	return d
}
