package brokers

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options of a run.
type Options struct {
	Rounds   int           // how often each measurement is made; the medians count
	Duration time.Duration // of enqueueing in each
	Only     string        // the letters to measure, separated by commas; all if empty
	Rows     string        // the rows to measure besides dtask, by parts of their names; all if empty
	Broker   string        // "rabbitmq", "sqlite", "other", or empty for all
	Dir      string        // for the files of SQLite and of the servers
	Out      io.Writer     // the tables
	Log      io.Writer     // progress
}

// Run measures, and returns a table for each group. It starts servers of its
// own. If a server is not installed, it leaves out the rows that need it and says
// so.
func Run(ctx context.Context, o Options) ([]*Table, error) {
	only, err := parseLetters(o.Only)
	if err != nil {
		return nil, err
	}
	var tables []*Table
	for _, g := range groups {
		if !strings.Contains(g.flag, o.Broker) {
			continue
		}
		t, err := measureGroup(ctx, o, only, g)
		if err != nil {
			return nil, err
		}
		if g.across && slices.Contains(only, letterE) {
			if t.across, err = Across(ctx, o.Dir, o.Duration); err != nil {
				return nil, err
			}
		}
		if len(t.rows) > 0 {
			tables = append(tables, t)
		}
	}
	return tables, nil
}

// measureGroup makes every measurement of every row. In each measurement the rows
// take turns, so that what else happens on the machine affects all of them.
func measureGroup(ctx context.Context, o Options, only []letter, g group) (*Table, error) {
	t := newTable(g, o)
	urls, stop, err := startServers(ctx, o, t)
	if err != nil {
		return nil, err
	}
	defer stop()
	t.rows = slices.DeleteFunc(t.rows, func(r rowValues) bool { return r.row.on != nil && urls[r.row.on] == "" })
	files := 0
	for round := range o.Rounds {
		for _, me := range measures {
			if !slices.ContainsFunc(me.letters, func(l letter) bool { return slices.Contains(only, l) }) {
				continue
			}
			for i := range t.rows {
				r := &t.rows[(i+round)%len(t.rows)] // nobody is always first
				results := make(map[letter]float64)
				place := urls[r.row.on]
				if r.row.on == nil {
					files++
					place = "sqlite:" + filepath.Join(o.Dir, fmt.Sprintf("%d.db", files))
				}
				twice, err := take(ctx, r.row, me, place, o.Duration, results)
				if err != nil {
					return nil, fmt.Errorf("%s, %s, %v: %w", g.title, r.row.name, me.letters, err)
				}
				r.twice += twice
				if r.row.on == nil {
					removeDB(place)
				}
				for _, l := range slices.Sorted(maps.Keys(results)) {
					if !slices.Contains(only, l) {
						continue
					}
					r.values[l] = append(r.values[l], results[l])
					fmt.Fprintf(o.Log, "round %d  %-13s %-40s %-5s %s\n", round+1, g.title, r.row.name, l, l.format(results[l]))
				}
			}
		}
	}
	return t, nil
}

// removeDB removes a database and what SQLite keeps beside it.
func removeDB(url string) {
	files, _ := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	for _, f := range files {
		os.RemoveAll(f)
	}
}
