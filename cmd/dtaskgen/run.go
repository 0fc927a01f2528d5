package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
)

// The exit codes.
const (
	exitOK      = 0
	exitFinding = 1 // something for the user to mend, or to generate
	exitTrouble = 2 // wrong usage, or something else kept dtaskgen from its work
)

// options are the command line.
type options struct {
	check    bool
	list     bool
	json     bool
	quiet    bool
	emit     string
	out      string
	against  string
	prune    string
	found    string
	tags     string
	patterns []string
}

const usage = `usage: dtaskgen [flags] [packages]

Dtaskgen writes dtask_gen.go into every package that has functions marked
//dtask:task. Packages are patterns as for go build; ./... is a whole module,
and the default is the package in the current directory.

flags:
  -check       write nothing; print a diff and exit with 1 if something would change,
               or if a deploy would strand waiting messages
  -against REF with -check: the revision or the dtask.lock to compare with, by
               default the commit where this branch left the main one
  -list, -n    write nothing; list the tasks
  -json        print diagnostics, the summary and the list as JSON lines
  -q           print no summary
  -emit jsonschema -o DIR
               write a JSON Schema of each task into DIR, and nothing else
  -emit upcasttest
               print a test of the upcasters of a package, to begin with
  -prune DAY   take the versions out of dtask.lock that were left before a day, such as
               2026-01-31
  -found FILE  with -prune: keep those that are in what "preflight -json" has printed
  -tags LIST   build tags, separated by commas
`

// parse reads the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("dtaskgen", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.check, "check", false, "")
	flags.BoolVar(&o.list, "list", false, "")
	flags.BoolVar(&o.list, "n", false, "")
	flags.BoolVar(&o.json, "json", false, "")
	flags.BoolVar(&o.quiet, "q", false, "")
	flags.StringVar(&o.against, "against", "", "")
	flags.StringVar(&o.emit, "emit", "", "")
	flags.StringVar(&o.out, "o", "", "")
	flags.StringVar(&o.prune, "prune", "", "")
	flags.StringVar(&o.found, "found", "", "")
	flags.StringVar(&o.tags, "tags", "", "")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.check && o.list {
		return o, errors.New("-check and -list exclude each other")
	}
	switch {
	case o.emit != "" && o.emit != emitJSONSchema && o.emit != emitUpcastTest:
		return o, fmt.Errorf("-emit %s is unknown; it can be %s or %s", o.emit, emitJSONSchema, emitUpcastTest)
	case (o.emit == emitJSONSchema) != (o.out != ""):
		return o, errors.New("-emit jsonschema and -o need each other")
	case o.emit != "" && (o.check || o.list):
		return o, errors.New("-emit excludes -check and -list")
	}
	switch {
	case o.against != "" && !o.check:
		return o, errors.New("-against needs -check")
	case o.prune != "" && (o.check || o.list || o.emit != ""):
		return o, errors.New("-prune excludes -check, -list and -emit")
	case o.found != "" && o.prune == "":
		return o, errors.New("-found needs -prune")
	}
	o.patterns = flags.Args()
	if len(o.patterns) == 0 {
		o.patterns = []string{"."}
	}
	return o, nil
}

// run is dtaskgen, in the current directory. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil:
		(&printer{json: o.json, out: stderr}).trouble(fmt.Errorf("%w; dtaskgen -h explains the flags", err))
		return exitTrouble
	}
	found, err := generate(ctx, o, stdout, stderr)
	for try := 1; errors.Is(err, errOverlap) && try < 5; try++ {
		found, err = generate(ctx, o, stdout, stderr)
	}
	switch {
	case err != nil:
		(&printer{json: o.json, out: stderr}).trouble(err)
		return exitTrouble
	case found:
		return exitFinding
	}
	return exitOK
}

// generate does the work. It reports whether it has found something for the user
// to do. An error means that it could not do the work.
func generate(ctx context.Context, o options, stdout, stderr io.Writer) (found bool, err error) {
	dir, err := os.Getwd()
	if err != nil {
		return false, fmt.Errorf("cannot tell the current directory: %w", err)
	}
	result, err := scan.Scan(ctx, scan.Config{Dir: dir, Patterns: o.patterns, Tags: o.tags})
	if err != nil {
		return false, err
	}
	if o.emit == emitJSONSchema {
		return emitted(result, o, printer{dir: dir, json: o.json, out: stdout}, stderr)
	}
	forget, err := newPruning(o.prune, o.found)
	if err != nil {
		return false, err
	}
	modules, err := lockedModules(result, forget)
	if err != nil {
		return false, err
	}
	files, err := render(result, modules)
	if err != nil {
		return false, err
	}
	failed := result.Failed()
	stranded, err := report(result, modules, o)
	if err != nil {
		return false, err
	}
	(&printer{dir: dir, json: o.json, out: stderr}).diagnostics(result.Diagnostics)
	p := printer{dir: dir, json: o.json, out: stdout}
	switch {
	case failed:
		return true, nil
	case o.list:
		return false, p.tasks(result.Packages)
	case o.emit == emitUpcastTest:
		return false, upcastTests(modules, stdout)
	}
	did := p.summarize(result.Packages, files)
	if o.check {
		found, err = p.diffs(files)
	} else {
		err = write(files)
	}
	if err == nil && !found && !stranded && !o.quiet {
		p.summary(did)
	}
	return found || stranded, err
}

// emitted writes the schemas instead of generating code.
func emitted(result *scan.Result, o options, p printer, stderr io.Writer) (found bool, err error) {
	(&printer{dir: p.dir, json: p.json, out: stderr}).diagnostics(result.Diagnostics)
	if result.Failed() {
		return true, nil
	}
	files, err := emit(o.out, result.Packages)
	if err != nil {
		return false, err
	}
	if err := write(files); err != nil {
		return false, err
	}
	if !o.quiet {
		p.summary(p.summarize(result.Packages, files))
	}
	return false, nil
}

// report adds to the diagnostics what a deploy of the changes means. With -check
// they are those since another version, and the result tells whether a change would
// strand messages. Otherwise they are those of this run, and all are warnings: to
// generate code is no deploy.
func report(result *scan.Result, modules []*lockedModule, o options) (stranded bool, err error) {
	if result.Failed() || o.list || o.emit != "" {
		return false, nil
	}
	for _, m := range modules {
		var base *lock.Lock
		if o.check {
			if base, err = m.base(o.against); err != nil {
				return false, err
			}
		}
		for _, d := range m.changes(base) {
			if !d.Warning && o.check {
				stranded = true
			} else {
				d.Warning = true
			}
			result.Diagnostics = append(result.Diagnostics, d)
		}
	}
	result.Diagnostics = diagnostic.Sorted(result.Diagnostics)
	return stranded, nil
}
