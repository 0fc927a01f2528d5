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

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
)

// Options of a run.
type Options struct {
	Rounds   int           // how often each measurement is made; the medians count
	Duration time.Duration // of enqueueing in each
	Only     string        // the letters to measure, separated by commas; all if empty
	Rows     string        // the rows to measure besides dtask, by parts of their names; all if empty
	Broker   string        // "rabbitmq", "sqlite", or empty for both
	Dir      string        // where the SQLite files are
	Out      io.Writer     // the tables
	Log      io.Writer     // progress
}

// Run measures, and returns a table for each broker. It starts a RabbitMQ node
// of its own, unless the machine has none: then it leaves RabbitMQ out and
// says so.
func Run(ctx context.Context, o Options) ([]*Table, error) {
	var tables []*Table
	if strings.Contains("rabbitmq", o.Broker) {
		switch t, err := runRabbitMQ(ctx, o); {
		case err != nil:
			return nil, err
		case t != nil:
			tables = append(tables, t)
		}
	}
	if strings.Contains("sqlite", o.Broker) {
		files := 0
		t, err := measureGroup(ctx, o, sqlite, func(r row) string {
			files++
			path := filepath.Join(o.Dir, fmt.Sprintf("%d.db", files))
			if r.role == ours {
				return "sqlite:" + path
			}
			return path
		})
		if err != nil {
			return nil, err
		}
		if wanted(string(letterE), o.Only) {
			if t.across, err = Across(ctx, o.Dir, o.Duration); err != nil {
				return nil, err
			}
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func runRabbitMQ(ctx context.Context, o Options) (*Table, error) {
	if !rabbitnode.Installed() {
		fmt.Fprintln(o.Out, "RabbitMQ is left out: it is not installed.")
		return nil, nil
	}
	starting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	node, err := rabbitnode.Start(starting, rabbitnode.Options{})
	if err != nil {
		return nil, err
	}
	defer node.Stop()
	return measureGroup(ctx, o, rabbitMQ, func(row) string { return node.URL() })
}

// measureGroup makes every measurement of every row, one row after the other
// in each, so that whatever else happens on the machine meets all of them.
func measureGroup(ctx context.Context, o Options, g group, place func(row) string) (*Table, error) {
	t := newTable(g, o)
	for round := range o.Rounds {
		for _, me := range measures {
			if !slices.ContainsFunc(me.letters, func(l letter) bool { return wanted(string(l), o.Only) }) {
				continue
			}
			for i := range t.rows {
				r := &t.rows[(i+round)%len(t.rows)] // nobody is always first
				results := make(map[letter]float64)
				at := place(r.row)
				twice, err := take(ctx, r.row, me, at, o.Duration, results)
				if err != nil {
					return nil, fmt.Errorf("%s, %s, %v: %w", g.broker, r.row.name, me.letters, err)
				}
				r.twice += twice
				if g.files {
					removeDB(at)
				}
				for _, l := range slices.Sorted(maps.Keys(results)) {
					r.values[l] = append(r.values[l], results[l])
					fmt.Fprintf(o.Log, "round %d  %-8s %-40s %-5s %s\n", round+1, g.broker, r.row.name, l, l.format(results[l]))
				}
			}
		}
	}
	return t, nil
}

// removeDB removes a database and what SQLite keeps beside it.
func removeDB(path string) {
	files, _ := filepath.Glob(strings.TrimPrefix(path, "sqlite:") + "*")
	for _, f := range files {
		os.RemoveAll(f)
	}
}
