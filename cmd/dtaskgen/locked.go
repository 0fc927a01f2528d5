package main

import (
	"errors"
	"fmt"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/evolution"
	"github.com/dtaskhq/dtask/internal/generated"
	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/internal/spelling"
)

// A lockedModule is a module of a run, with its lock.
type lockedModule struct {
	dir  string
	pkgs []*scan.Package
	file *file // dtask.lock

	old, next *lock.Lock // as it is, and as it should be
}

// lockedModules parts what a run found by modules, and tells the tasks their past. What
// is wrong with a lock is among the diagnostics.
func lockedModules(result *scan.Result, forget pruning) ([]*lockedModule, error) {
	if result.Failed() {
		return nil, nil // tasks may be missing
	}
	byDir := make(map[string]*lockedModule)
	var all []*lockedModule
	get := func(dir string) *lockedModule {
		if byDir[dir] == nil {
			byDir[dir] = &lockedModule{dir: dir}
			all = append(all, byDir[dir])
		}
		return byDir[dir]
	}
	for _, p := range result.Packages {
		if p.ModuleDir != "" {
			m := get(p.ModuleDir)
			m.pkgs = append(m.pkgs, p)
		}
	}
	for _, s := range result.StaleModules {
		get(s)
	}
	for _, m := range all {
		if err := m.update(result, forget); err != nil {
			return nil, err
		}
	}
	result.Diagnostics = diagnostic.Sorted(result.Diagnostics)
	return all, nil
}

// update finds out what the lock of a module should be.
func (m *lockedModule) update(result *scan.Result, forget pruning) (err error) {
	if m.file, err = read(filepath.Join(m.dir, lock.File)); err != nil {
		return err
	}
	if m.old, err = lock.Read(m.file.old, today()); err == nil {
		m.checkNames(result)
		m.next, err = m.old.Update(m.run(result))
	}
	if flaw, ok := errors.AsType[*lock.Error](err); ok {
		result.Diagnostics = append(result.Diagnostics, &diagnostic.Diagnostic{
			Pos: token.Position{Filename: m.file.path, Line: flaw.Line, Column: 1}, Code: diagnostic.Lock, Message: flaw.Text, Hint: flaw.Hint,
		})
		return nil
	}
	if err != nil {
		return err
	}
	forget.apply(m)
	if len(m.next.Tasks) > 0 || m.file.old != nil {
		m.file.new = m.next.Format()
	}
	result.Diagnostics = append(result.Diagnostics, evolution.Apply(m.pkgs, m.next)...)
	return nil
}

// checkNames reports what directives say of other names and cannot be: a was= that is
// the end of a name, a task of the source, or said by two, and a task that is retired
// and there.
func (m *lockedModule) checkNames(result *scan.Result) {
	report := func(pos token.Position, hint, format string, args ...any) {
		result.Diagnostics = append(result.Diagnostics, &diagnostic.Diagnostic{
			Pos: pos, Code: diagnostic.Option, Message: fmt.Sprintf(format, args...), Hint: hint,
		})
	}
	tasks, heirs := make(map[string]*scan.Task), make(map[string]*scan.Task)
	for _, p := range m.pkgs {
		for _, t := range p.Tasks {
			tasks[t.Name] = t
		}
	}
	for _, p := range m.pkgs {
		for _, t := range p.Tasks {
			was, _ := t.Options.Get("was").(string)
			switch other := heirs[was]; {
			case was == "":
			case tasks[was] != nil:
				report(t.Pos, "remove was=, or the other function", "%s was %s, which is a task still", t.Function(), was)
			case other != nil:
				report(t.Pos, "keep one was=", "%s and %s both were %s", other.Function(), t.Function(), was)
			case m.old.Task(was) == nil:
				if whole := wholeName(m.old, was, t.Name); whole != "" {
					report(t.Pos, "write was="+whole, "was=%s is not the whole name of a task", was)
				}
			}
			if was != "" {
				heirs[was] = t
			}
		}
	}
	for _, r := range result.Retired {
		if t := tasks[r.Name]; t != nil {
			report(r.Pos, "remove the directive, or the function", "task %s is retired, and %s is there", r.Name, t.Function())
		}
	}
	m.checkRetired(result, tasks)
}

// checkRetired warns of retired tasks that the lock does not have: their names may be
// misspelt.
func (m *lockedModule) checkRetired(result *scan.Result, tasks map[string]*scan.Task) {
	for _, p := range m.pkgs {
		for _, r := range p.Retired {
			if m.old.Task(r.Name) != nil || tasks[r.Name] != nil {
				continue
			}
			var candidates []string
			for _, t := range m.old.Tasks {
				if tasks[t.Name] == nil {
					candidates = append(candidates, t.Name)
				}
			}
			hint := "mend the name, or remove it: a task that is retired is in dtask.lock no more"
			if near := spelling.Nearest(r.Name, candidates); near != "" {
				hint = "did you mean " + near + "?"
			}
			result.Diagnostics = append(result.Diagnostics, &diagnostic.Diagnostic{
				Pos: r.Pos, Code: diagnostic.Option, Warning: true, Message: fmt.Sprintf("task %s is retired, and dtask.lock has no such task", r.Name), Hint: hint,
			})
		}
	}
}

// wholeName returns the name in a lock, other than that of the task itself, of which
// only the end is known.
func wholeName(l *lock.Lock, end, own string) string {
	for _, t := range l.Tasks {
		if t.Name != own && strings.HasSuffix(t.Name, "/"+end) {
			return t.Name
		}
	}
	return ""
}

// run returns what this run of dtaskgen knows of the module.
func (m *lockedModule) run(result *scan.Result) lock.Run {
	run := lock.Run{
		Module: m.old.Module,
		Today:  today(),
		Opaque: make(map[string]string),
		Retired: func(name string) bool {
			return slices.ContainsFunc(result.Retired, func(r scan.Retired) bool { return r.Name == name })
		},
		Excluded:  func(name string) bool { return slices.Contains(result.Excluded, name) },
		Committed: func() (*lock.Lock, string) { return committed(m.dir, "HEAD") },
	}
	seen := make(map[string]bool)
	for _, p := range m.pkgs {
		rel, _ := filepath.Rel(m.dir, p.Dir)
		dir := filepath.ToSlash(rel)
		if dir != "." {
			dir = "./" + dir
		}
		seen[dir] = true
		maps.Copy(run.Opaque, p.Opaque)
		for _, t := range p.Tasks {
			run.Module = t.Module
			was, _ := t.Options.Get("was").(string)
			run.Tasks = append(run.Tasks, lock.Source{
				Name: t.Name, Package: dir, Queue: t.Options.Get("queue").(string), Was: was, Args: t.Args, Result: t.Returns,
			})
		}
	}
	run.Gone = func(dir string) bool {
		if seen[dir] {
			return true
		}
		path := filepath.Join(m.dir, filepath.FromSlash(dir), generated.File)
		_, err := os.Stat(path)
		return errors.Is(err, os.ErrNotExist) || slices.Contains(result.Stale, path)
	}
	return run
}

// position returns where the lock has a task.
func (m *lockedModule) position(name string) token.Position {
	pos := token.Position{Filename: m.file.path, Line: 1, Column: 1}
	for i, line := range strings.Split(string(m.file.old), "\n") {
		if line == "task "+name {
			pos.Line = i + 1
		}
	}
	return pos
}

// changes reports what a deploy means that goes from a lock to the next. A nil one
// stands for the lock as it is now.
func (m *lockedModule) changes(base *lock.Lock) []*diagnostic.Diagnostic {
	if m.next == nil {
		return nil // it has an error
	}
	if base == nil {
		base = m.old
	}
	return evolution.Report(base, m.next, m.pkgs, m.position)
}

// today returns the day that a lock is to name. SOURCE_DATE_EPOCH sets it
// (https://reproducible-builds.org/specs/source-date-epoch).
func today() string {
	now := time.Now()
	if s, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		now = time.Unix(s, 0)
	}
	return now.UTC().Format(time.DateOnly)
}

// base returns the lock that -check compares with: that of a revision or a file, or
// by default that of the commit where the main branch was left. It is nil if there
// is none.
func (m *lockedModule) base(against string) (*lock.Lock, error) {
	if against == "" {
		if fork := forkPoint(m.dir); fork != "" {
			l, _ := committed(m.dir, fork)
			return l, nil
		}
		return nil, nil
	}
	if text, err := os.ReadFile(against); err == nil {
		return lock.Read(text, today())
	}
	text, err := show(m.dir, against)
	if err != nil {
		return nil, fmt.Errorf("cannot compare with %s: it is no file, and %w", against, err)
	}
	return lock.Read(text, today())
}
