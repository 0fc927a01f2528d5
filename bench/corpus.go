package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/dtaskhq/dtask/bench/corpus"
)

// runCorpus prints what became of the functions of popular modules.
func runCorpus(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("corpus", flag.ExitOnError)
	only := flags.String("only", "", "only modules whose path contains this")
	dir := flags.String("dir", "", "work below this directory (default a temporary one)")
	flags.Parse(args)

	dtask, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "dtask-corpus"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				os.RemoveAll(*dir)
			}
		}()
	}
	var total corpus.Result
	total.Refused = make(map[string]int)
	failed := false
	fmt.Println("| module | marked | accepted | packages | crashed | does not compile |")
	fmt.Println("|---|---|---|---|---|---|")
	err = corpus.Run(ctx, dtask, *dir, *only, func(r *corpus.Result) {
		crashed := 0
		if r.Crashed != "" {
			crashed = 1
		}
		fmt.Printf("| %s | %d | %d | %d | %d | %d |\n", r.Module, r.Marked, r.Accepted, r.Packages, crashed, len(r.Broken))
		for _, text := range append(append(r.Broken, r.Stuck...), r.Crashed) {
			if text != "" {
				failed = true
				fmt.Fprintln(os.Stderr, text)
			}
		}
		total.Marked += r.Marked
		total.Accepted += r.Accepted
		for reason, n := range r.Refused {
			total.Refused[reason] += n
		}
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n%d marked, %d accepted; refused:\n\n| reason | functions |\n|---|---|\n", total.Marked, total.Accepted)
	var reasons []string
	for r := range total.Refused {
		reasons = append(reasons, r)
	}
	sort.Slice(reasons, func(i, j int) bool { return total.Refused[reasons[i]] > total.Refused[reasons[j]] })
	for _, r := range reasons {
		fmt.Printf("| %s | %d |\n", r, total.Refused[r])
	}
	if failed {
		return errors.New("the generator broke down, or what it wrote does not compile; see above")
	}
	return nil
}
