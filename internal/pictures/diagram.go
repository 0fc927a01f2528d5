package main

import (
	"fmt"
	"html"
	"strings"
)

const diagramStyle = `
  text { font: 14px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
  .small { font-size: 12px; fill: #57606a }
  .code { font: 12px ui-monospace, monospace }
  .box { fill: #f6f8fa; stroke: #8c959f } .broker { fill: #ddf4ff; stroke: #0969da }
  path { stroke: #57606a; stroke-width: 1.5; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .box { fill: #21262d; stroke: #656c76 } .broker { fill: #122d4f; stroke: #4493f8 }
    path { stroke: #9198a1 }
  }`

// A box is a process or a store in the diagram.
type box struct {
	x, y, w, h int
	class      string
	lines      []string // a title, then notes
}

// diagram draws how a task travels from the web application to a worker.
func diagram() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"780\" height=\"190\" viewBox=\"0 0 780 190\">\n<style>%s\n</style>\n", diagramStyle)
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M1,1 L7,4 L1,7"/></marker></defs>` + "\n")
	for _, box := range []box{
		{10, 40, 180, 74, "box", []string{"web application", "DelaySendWelcome(…)", "answers in milliseconds"}},
		{300, 40, 180, 74, "broker", []string{"broker", "a SQLite file, or RabbitMQ", "on disk until it is done"}},
		{590, 10, 180, 52, "box", []string{"worker", "SendWelcome(…)"}},
		{590, 92, 180, 52, "box", []string{"worker", "as many as you like"}},
		{300, 146, 180, 36, "box", []string{"dead letters"}},
	} {
		box.draw(&b)
	}
	arrow(&b, "M192,77 L296,77", 244, 68, "message")
	arrow(&b, "M482,68 L586,40", 530, 40, "task")
	arrow(&b, "M482,86 L586,116", 530, 94, "task")
	arrow(&b, "M390,116 L390,143", 468, 134, "after the last attempt")
	b.WriteString("</svg>\n")
	return b.String()
}

func (x box) draw(b *strings.Builder) {
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" class=\"%s\"/>\n", x.x, x.y, x.w, x.h, x.class)
	y := x.y + (x.h-18*len(x.lines))/2 + 14
	for i, line := range x.lines {
		class := "small"
		if i == 0 {
			class = ""
		} else if strings.Contains(line, "(…)") {
			class = "code"
		}
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x.x+x.w/2, y+18*i, class, html.EscapeString(line))
	}
}

// arrow draws an arrow along a path, with a word beside it.
func arrow(b *strings.Builder, path string, x, y int, word string) {
	fmt.Fprintf(b, "<path d=\"%s\" marker-end=\"url(#tip)\"/>\n<text x=\"%d\" y=\"%d\" class=\"small\">%s</text>\n", path, x, y, word)
}
