package main

import (
	"fmt"
	"html"
	"strings"
)

const boardStyle = `
  text { font: 12px system-ui, sans-serif; fill: #ccccdc } .title { font-weight: 600; font-size: 13px } .faint { fill: #8e8e9e; font-size: 10px }
  .value { font-size: 30px; font-weight: 600; text-anchor: middle; fill: #73bf69 } .back { fill: #111217 } .panel { fill: #181b1f; stroke: #24272d } .axis { stroke: #2c3038 }
  polyline { fill: none; stroke-width: 1.5 }`

// palette are the colours of lines, one after the other.
var palette = []string{"#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#96d98d"}

// The size of a cell of the board's grid, in pixels.
const cellWidth, cellHeight = 42, 24

// drawBoard draws the panels as the board lays them out.
func drawBoard(panels []panel) string {
	rows := 0
	for _, p := range panels {
		rows = max(rows, p.GridPos.Y+p.GridPos.H)
	}
	var b strings.Builder
	w, h := 24*cellWidth, rows*cellHeight
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n<style>%s\n</style>\n<rect width=\"%d\" height=\"%d\" class=\"back\"/>\n", w, h, w, h, boardStyle, w, h)
	for i := range panels {
		panels[i].draw(&b)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p *panel) draw(b *strings.Builder) {
	x, y := p.GridPos.X*cellWidth+3, p.GridPos.Y*cellHeight+3
	w, h := p.GridPos.W*cellWidth-6, p.GridPos.H*cellHeight-6
	fmt.Fprintf(b, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"3\" class=\"panel\"/>\n<text x=\"%d\" y=\"%d\" class=\"title\">%s</text>\n", x, y, w, h, x+10, y+19, html.EscapeString(p.Title))
	switch {
	case len(p.lines) == 0:
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" class=\"faint\">none</text>\n", x+w/2, y+h/2)
	case p.Type == "timeseries":
		p.drawLines(b, x+50, y+32, w-62, h-62)
	default:
		last := p.lines[0].points[len(p.lines[0].points)-1].value
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" class=\"value\">%s</text>\n", x+w/2, y+h/2+18, p.format(last))
	}
}

// drawLines draws the series of a panel into a rectangle, and names them below it.
func (p *panel) drawLines(b *strings.Builder, x, y, w, h int) {
	first, last, most := p.lines[0].points[0].at, 0.0, 0.0
	for _, l := range p.lines {
		for _, v := range l.points {
			first, last, most = min(first, v.at), max(last, v.at), max(most, v.value)
		}
	}
	if most == 0 {
		most = 1
	}
	for i := range 3 {
		at := y + h - h*i/2
		fmt.Fprintf(b, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" class=\"axis\"/>\n<text x=\"%d\" y=\"%d\" class=\"faint\" text-anchor=\"end\">%s</text>\n",
			x, at, x+w, at, x-6, at+4, p.format(most*float64(i)/2))
	}
	left := x
	for i, l := range p.lines {
		color := palette[i%len(palette)]
		var points []string
		for _, v := range l.points {
			points = append(points, fmt.Sprintf("%.1f,%.1f", float64(x)+float64(w)*(v.at-first)/max(1, last-first), float64(y+h)-float64(h)*v.value/most))
		}
		fmt.Fprintf(b, "<polyline points=\"%s\" stroke=\"%s\"/>\n", strings.Join(points, " "), color)
		if wide := 7*len(l.name) + 20; left+wide < x+w+10 {
			fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" class=\"faint\" style=\"fill:%s\">● %s</text>\n", left, y+h+20, color, html.EscapeString(l.name))
			left += wide
		}
	}
}

// format returns a value with the unit of its panel.
func (p *panel) format(v float64) string {
	switch unit := p.FieldConfig.Defaults.Unit; {
	case unit == "percentunit":
		return fmt.Sprintf("%.0f %%", 100*v)
	case unit == "s" && v < 1:
		return fmt.Sprintf("%.0f ms", 1000*v)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	case unit == "ops":
		return fmt.Sprintf("%.3g/s", v)
	}
	return fmt.Sprintf("%.3g", v)
}
