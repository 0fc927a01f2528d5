package console

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/dtaskhq/dtask/internal/printable"
)

// formats are the forms in which lists are printed.
var formats = []string{"table", "json", "jsonl", "csv"}

// A column of a table, or of CSV.
type column[T any] struct {
	key   string         // in CSV
	title string         // in a table; empty: not there
	cell  func(T) string // in a table; nil: as in CSV
	value func(T) string // in CSV
	wide  bool           // it is not cut in a table
}

// writeAll is write for a list that is there, or an error.
func writeAll[T any](p *Program, rows []T, err error, columns []column[T], record func(T) any) error {
	return write(p, func(yield func(T, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}, columns, record)
}

// write prints rows in the format that was asked for. After an error it prints what
// came before it.
func write[T any](p *Program, rows iter.Seq2[T, error], columns []column[T], record func(T) any) error {
	switch p.format {
	case "json":
		return writeJSON(p, rows, record)
	case "jsonl":
		return writeLines(p, rows, record)
	case "csv":
		return writeCSV(p, rows, columns)
	}
	return writeTable(p, rows, columns)
}

// tableRows is how many rows are aligned together: a list may be endless.
const tableRows = 1000

func writeTable[T any](p *Program, rows iter.Seq2[T, error], columns []column[T]) error {
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	line := func(cells []string) {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	n := 0
	for r, err := range rows {
		if err != nil {
			w.Flush()
			return err
		}
		var cells []string
		if n++; n == 1 {
			for _, c := range columns {
				if c.title != "" {
					cells = append(cells, c.title)
				}
			}
			line(cells)
			cells = nil
		}
		for _, c := range columns {
			switch {
			case c.title == "":
			case c.wide:
				cells = append(cells, printable.Cut(printable.Text(c.value(r), ""), maxError))
			case c.cell != nil:
				cells = append(cells, cell(c.cell(r)))
			default:
				cells = append(cells, cell(c.value(r)))
			}
		}
		line(cells)
		if n%tableRows == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	if n == 0 {
		fmt.Fprintln(p.Err, "none")
	}
	return w.Flush()
}

func writeJSON[T any](p *Program, rows iter.Seq2[T, error], record func(T) any) error {
	n := 0
	for r, err := range rows {
		if err != nil {
			return err
		}
		before := ",\n"
		if n++; n == 1 {
			before = "[\n"
		}
		line, err := encode(record(r))
		if err == nil {
			_, err = fmt.Fprintf(p.Out, "%s%s", before, line)
		}
		if err != nil {
			return err
		}
	}
	end := "\n]\n"
	if n == 0 {
		end = "[]\n"
	}
	_, err := fmt.Fprint(p.Out, end)
	return err
}

func writeLines[T any](p *Program, rows iter.Seq2[T, error], record func(T) any) error {
	for r, err := range rows {
		if err != nil {
			return err
		}
		line, err := encode(record(r))
		if err == nil {
			_, err = fmt.Fprintf(p.Out, "%s\n", line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode returns a value as JSON in one line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return withoutControls(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

// maxValue is how many characters of a text are in CSV.
const maxValue = 10_000

func writeCSV[T any](p *Program, rows iter.Seq2[T, error], columns []column[T]) error {
	w := csv.NewWriter(p.Out)
	var cells []string
	for _, c := range columns {
		cells = append(cells, c.key)
	}
	w.Write(cells)
	for r, err := range rows {
		if err != nil {
			w.Flush()
			return err
		}
		cells = cells[:0]
		for _, c := range columns {
			cells = append(cells, printable.Cut(printable.Text(c.value(r), ""), maxValue))
		}
		w.Write(cells)
	}
	w.Flush()
	return w.Error()
}
