package brokers

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Table is the outcome of the measurements of one group.
type Table struct {
	Title  string
	rows   []rowValues
	across float64 // E with the worker in another process, in ms; 0: not measured
}

type rowValues struct {
	row    row
	values map[letter][]float64 // one a round
	twice  int64                // tasks executed more than once
}

func newTable(g group, o Options) *Table {
	t := &Table{Title: g.title}
	for _, r := range g.rows {
		if r.role == ours || wanted(r.name, o.Rows) {
			t.rows = append(t.rows, rowValues{row: r, values: make(map[letter][]float64)})
		}
	}
	return t
}

// wanted reports whether name contains one of the parts of a list, or whether
// the list is empty.
func wanted(name, list string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(part string) bool {
		return strings.Contains(name, part)
	})
}

// median returns the median of the rounds.
func (r *rowValues) median(l letter) (float64, bool) { return median(r.values[l]) }

func median(values []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2], true
}

// ratio returns the median of what dtask, the first row, reached in each round
// as a multiple of what the row reached in the same one.
func (t *Table) ratio(r *rowValues, l letter) (float64, bool) {
	var ratios []float64
	for i, v := range r.values[l] {
		ratios = append(ratios, t.rows[0].values[l][i]/v)
	}
	return median(ratios)
}

// Print writes the table in Markdown: the medians, and in parentheses dtask's
// as a multiple of each.
func (t *Table) Print(w io.Writer) {
	var used []letter
	for _, l := range letters {
		if len(t.rows[0].values[l]) > 0 {
			used = append(used, l)
		}
	}
	fmt.Fprintf(w, "\n### %s\n\n| |", t.Title)
	for _, l := range used {
		fmt.Fprintf(w, " %s |", l.title())
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(used)))
	for i := range t.rows {
		r := &t.rows[i]
		fmt.Fprintf(w, "| %s |", r.row.name)
		for _, l := range used {
			v, ok := r.median(l)
			switch ratio, _ := t.ratio(r, l); {
			case !ok:
				fmt.Fprint(w, " |")
			case r.row.role == ours:
				fmt.Fprintf(w, " **%s** |", l.format(v))
			default:
				fmt.Fprintf(w, " %s (%s×) |", l.format(v), significant(ratio))
			}
		}
		fmt.Fprintln(w)
	}
	if t.across > 0 {
		fmt.Fprintf(w, "\nE p50 with the worker in another process: %.2f ms.\n", t.across)
	}
	for i := range t.rows {
		if r := &t.rows[i]; r.twice > 0 {
			fmt.Fprintf(w, "\n%s executed %d tasks more than once.\n", r.row.name, r.twice)
		}
	}
}

func (l letter) title() string {
	return map[letter]string{
		letterA: "A", letterB64: "B 64", letterB256: "B 256", letterD10: "D 10", letterD100: "D 100", letterG: "G", letterCPU: "CPU in G", letterE: "E p50",
	}[l]
}

// format formats a value of the letter with its unit.
func (l letter) format(v float64) string {
	switch {
	case l == letterE:
		return fmt.Sprintf("%.2f ms", v)
	case l == letterCPU:
		return fmt.Sprintf("%.0f µs", v)
	case v < 10_000:
		return fmt.Sprintf("%.0f/s", v)
	}
	return fmt.Sprintf("%.1fk/s", v/1000)
}

// significant formats a ratio with as many digits as mean something.
func significant(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
