package worker

import (
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// help prints the usage of the program.
func help(w io.Writer, name string) {
	fmt.Fprintf(w, `Usage:
  %[1]s [flags]                  run tasks until told to stop
  %[1]s [flags] run TASK [JSON]  run one task now (- reads standard input)
  %[1]s [flags] preflight [-json] [-from OLD.lock]
                                 say what would become of what waits
  %[1]s [flags] COMMAND          see and steer what waits, runs and has failed:
                                 %[1]s help lists the commands

Flags, and the variables that set the same:
`, name)
	_, fs := newFlags(name)
	fs.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "\n  -%s", f.Name)
		if arg != "" {
			fmt.Fprintf(w, " %s", arg)
		}
		if f.Name != "version" {
			fmt.Fprintf(w, ", %s", envName(f.Name))
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			usage += " (default " + strings.ToLower(f.DefValue) + ")"
		}
		for line := range wrap(usage, 72) {
			fmt.Fprintf(w, "\n      %s", line)
		}
	})
	fmt.Fprint(w, "\n\nExit codes:\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "  0\tstopped in good order, or drained\n"+
		"  1\tfailed; preflight: some of what waits would not be run\n"+
		"  2\twrong use; preflight: what waits cannot be told\n"+
		"  3\tdrained, and something was moved to the dead letters\n")
	tw.Flush()
}

// wrap yields the lines of text broken at spaces, of at most width characters.
func wrap(text string, width int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		line := ""
		for word := range strings.FieldsSeq(text) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
				if !yield(line) {
					return
				}
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		yield(line)
	}
}
