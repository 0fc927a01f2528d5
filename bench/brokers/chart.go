package brokers

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// The measures of the chart, in pixels.
const (
	chartWidth = 785
	labelWidth = 235
	barHeight  = 14
	barStep    = 18
	valueWidth = 80
)

// charted are the letters of the chart: those in which more is better.
var charted = []letter{letterB64, letterD100, letterG}

var chartTitles = map[letter]string{
	letterB64:  "Enqueue, 64 callers that wait until it is durable",
	letterD100: "Drain, 100 at a time",
	letterG:    "Both at once, from end to end",
}

const chartStyle = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .letter { fill: #57606a }
  .dtask { fill: #0969da } .plain { fill: #8c959f } .peer { fill: #d4a72c }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .letter { fill: #9198a1 }
    .dtask { fill: #4493f8 } .plain { fill: #656c76 } .peer { fill: #bb8009 }
  }`

// Chart writes the tables as bars, in SVG. Within each letter, the longest bar
// is the best value.
func Chart(w io.Writer, tables []*Table) error {
	var body strings.Builder
	y := 0
	text := func(x int, class, s string) {
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x, y, class, html.EscapeString(s))
	}
	for _, t := range tables {
		y += 28
		text(0, "title", t.Title+", tasks per second")
		for _, l := range charted {
			best := t.best(l)
			if best == 0 {
				continue // not measured
			}
			y += 24
			text(0, "letter", chartTitles[l])
			y += 6
			for i := range t.rows {
				r := &t.rows[i]
				v, _ := r.median(l)
				width := max(1, v/best*(chartWidth-labelWidth-valueWidth))
				fmt.Fprintf(&body, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n",
					labelWidth, y, width, barHeight, r.row.role.class())
				y += barHeight - 3
				text(0, "", r.row.name)
				text(labelWidth+int(width)+6, "", strings.TrimSuffix(l.format(v), "/s"))
				y += barStep - barHeight + 3
			}
		}
		y += 12
	}
	_, err := fmt.Fprintf(w, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %[1]d %[2]d\">\n<style>%s\n</style>\n%s</svg>\n",
		chartWidth, y, chartStyle, body.String())
	return err
}

// best returns the best median of a letter.
func (t *Table) best(l letter) float64 {
	best := 0.0
	for i := range t.rows {
		v, _ := t.rows[i].median(l)
		best = max(best, v)
	}
	return best
}

// class returns the style of the bars of a role.
func (r role) class() string {
	return [...]string{ours: "dtask", raw: "plain", peer: "peer"}[r]
}
