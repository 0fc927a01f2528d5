package top

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/dtaskhq/dtask/internal/printable"
)

var (
	bold    = lipgloss.NewStyle().Bold(true)
	reverse = lipgloss.NewStyle().Reverse(true)
	faint   = lipgloss.NewStyle().Faint(true)
	bad     = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
)

// head and foot are how many lines are above and below the rows of a screen.
const (
	head = 3
	foot = 1
)

// body is how many lines a screen has for rows.
func (m *model) body() int { return max(1, m.height-head-foot) }

// View implements [tea.Model].
func (m *model) View() tea.View {
	lines := append([]string{m.tabs(), m.status()}, m.content()...)
	for len(lines) < m.height-foot {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, m.height-foot)], m.prompt())
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, m.width, "…")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "dtask top"
	return v
}

func (m *model) tabs() string {
	parts := []string{bold.Render("dtask")}
	for i, s := range screens {
		text := fmt.Sprintf("%d %s", i+1, s.name)
		if i == m.screen {
			text = reverse.Render(" " + text + " ")
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// status says how the broker is, and how old what is seen is.
func (m *model) status() string {
	if m.err != nil {
		text := fmt.Sprintf("the broker does not answer for %s: %s", printable.Short(time.Since(m.failing)), clean(printable.Masked(m.err.Error())))
		return bad.Render(text)
	}
	p := &m.picture
	if p.at.IsZero() {
		return "asking the broker…"
	}
	var ready, running, delayed, dead int
	for _, q := range p.queues {
		ready += q.Ready
		running += max(q.Running, 0)
		delayed += max(q.Delayed, 0)
		dead += q.Dead
	}
	text := fmt.Sprintf("%d ready, %d dead, %d workers", ready, dead, len(p.workers))
	if len(p.queues) > 0 && p.queues[0].Delayed >= 0 {
		text = fmt.Sprintf("%d ready, %d running, %d delayed, %d dead, %d workers", ready, running, delayed, dead, len(p.workers))
	}
	return text + faint.Render("  "+p.at.Format(time.TimeOnly))
}

// prompt is the last line: what is asked, what happened, or which keys there are.
func (m *model) prompt() string {
	switch {
	case m.typing != nil:
		return bold.Render(clean(m.typing.prompt)) + clean(m.typing.text) + reverse.Render(" ")
	case m.said != "":
		return bold.Render(clean(printable.Masked(m.said)))
	}
	return faint.Render(screens[m.screen].keys + "  ? help  q quit")
}

// content draws the screen.
func (m *model) content() []string {
	s := screens[m.screen]
	if m.help {
		return strings.Split(helpText, "\n")
	}
	t := s.table(m)
	m.rows = len(t.rows)
	if m.marked[m.screen] >= m.rows {
		m.marked[m.screen] = max(0, m.rows-1)
	}
	if m.detail && m.rows > 0 {
		return m.drawDetail(s.detail(m, m.marked[m.screen]))
	}
	return m.drawTable(t)
}

// drawDetail draws lines that can be scrolled, and wraps long ones.
func (m *model) drawDetail(lines []string) []string {
	var all []string
	for _, l := range lines {
		all = append(all, strings.Split(ansi.Hardwrap(l, m.width, true), "\n")...)
	}
	m.scroll = min(m.scroll, max(0, len(all)-m.body()))
	return append([]string{""}, all[m.scroll:]...)
}

// A table is what a screen shows. Its cells are clean.
type table struct {
	above   []string // lines before it
	titles  []string
	rows    [][]string
	bad     map[int]bool // rows that are trouble
	nothing string       // said if there are no rows
}

func (m *model) drawTable(t table) []string {
	lines := append([]string(nil), t.above...)
	if len(t.rows) == 0 {
		return append(lines, "", t.nothing)
	}
	widths := make([]int, len(t.titles))
	for _, row := range append([][]string{t.titles}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], min(ansi.StringWidth(cell), maxCell))
		}
	}
	lines = append(lines, bold.Render(pad(t.titles, widths)))
	room := max(1, m.height-foot-2-len(lines))
	first, marked := &m.top[m.screen], m.marked[m.screen]
	*first = max(min(*first, marked), marked-room+1, 0)
	for i := *first; i < min(len(t.rows), *first+room); i++ {
		line := pad(t.rows[i], widths)
		switch {
		case i == marked:
			line = reverse.Render(ansi.Truncate(line+strings.Repeat(" ", max(0, m.width-ansi.StringWidth(line))), m.width, "…"))
		case t.bad[i]:
			line = bad.Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

// maxCell is how wide a column is at most, but for the last one.
const maxCell = 36

// pad aligns the cells of a row.
func pad(cells []string, widths []int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i == len(cells)-1 {
			b.WriteString(cell)
			break
		}
		cell = ansi.Truncate(cell, widths[i], "…")
		b.WriteString(cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
	}
	return b.String()
}

// clean returns text of others as it can be shown in one line.
func clean(s string) string {
	const most = 4000 // it may have megabytes
	if len(s) > most {
		s = s[:most]
	}
	return printable.Text(s, "")
}
