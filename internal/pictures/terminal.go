package main

import (
	"fmt"
	"html"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The size of a character of a drawn terminal, in pixels.
const (
	charWidth  = 8.4
	lineHeight = 19
)

const terminalStyle = `
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #e6edf3; white-space: pre }
  .bold { font-weight: bold } .faint { fill: #9198a1 } .red { fill: #ff7b72; font-weight: bold } .back { fill: #0d1117 } rect.mark { fill: #30363d }`

// drawTerminal draws what was on the screen of a terminal, as tmux captures it: text, and
// the sequences that make it look so.
func drawTerminal(screen string, columns int) string {
	lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
	width, height := float64(columns)*charWidth+20, len(lines)*lineHeight+20
	var b strings.Builder
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%d\" viewBox=\"0 0 %.0f %d\">\n<style>%s\n</style>\n", width, height, width, height, terminalStyle)
	fmt.Fprintf(&b, "<rect width=\"%.0f\" height=\"%d\" rx=\"8\" class=\"back\"/>\n", width, height)
	for i, line := range lines {
		drawLine(&b, line, 10+i*lineHeight)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// sequence is what changes how the text behind it looks.
var sequence = regexp.MustCompile(`\x1b\[([0-9;]*)m`)

// drawLine draws a line of a terminal, a part for each look.
func drawLine(b *strings.Builder, line string, top int) {
	column := 0
	var look []string
	for line != "" {
		at := sequence.FindStringSubmatchIndex(line)
		text := line
		if at != nil {
			text = line[:at[0]]
		}
		wide := ansi.StringWidth(text)
		x := 10 + float64(column)*charWidth
		if strings.Contains(strings.Join(look, " "), "mark") {
			fmt.Fprintf(b, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"mark\"/>\n", x, top, float64(wide)*charWidth, lineHeight)
		}
		if strings.TrimSpace(text) != "" {
			fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%d\" textLength=\"%.1f\" class=\"%s\">%s</text>\n", x, top+14, float64(wide)*charWidth, strings.Join(look, " "), html.EscapeString(text))
		}
		column += wide
		if at == nil {
			return
		}
		look = looks(look, line[at[2]:at[3]])
		line = line[at[1]:]
	}
}

// looks returns the classes of text behind a sequence.
func looks(before []string, codes string) []string {
	for code := range strings.SplitSeq(codes, ";") {
		switch code {
		case "", "0":
			before = nil
		case "1":
			before = append(before, "bold")
		case "2":
			before = append(before, "faint")
		case "7":
			before = append(before, "mark")
		case "31":
			before = append(before, "red")
		}
	}
	return before
}
