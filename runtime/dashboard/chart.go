package dashboard

import (
	"fmt"
	"strings"
	"time"
)

// A spark is a small line that shows the shape of some values, by a scale of its own.
type spark struct {
	Class      string // empty, or how much to care
	Line, Area string // paths in a box of 96 by 20
}

// newSpark draws values, in the order of time.
func newSpark(class string, values []float64) *spark {
	const width, height, top = 96, 18.7, 2.5
	line := lineOf(values, width, height, height-top)
	return &spark{class, line, fmt.Sprintf("%sL%d 20L0 20Z", line, width)}
}

// lineOf draws values over a width. 0 is at the height of bottom, and the largest one as
// much above it as high says.
func lineOf(values []float64, width int, bottom, high float64) string {
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	return pathTo(values, most, width, bottom, high)
}

func pathTo(values []float64, most float64, width int, bottom, high float64) string {
	var b strings.Builder
	for i, v := range values {
		x := float64(width) * float64(i) / float64(max(len(values)-1, 1))
		y := bottom
		if most > 0 {
			y -= high * v / most
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	return b.String()
}

// A chart shows what was done above, and what has failed below, on one axis of time.
type chart struct {
	Says             string // in words
	Done, Area, Bars string // paths
	DoneMost         string // the labels of the scales
	DoneHalf         string
	FailedMost       string
	Times, Marks     []tick
}

// A tick is a label on the axis of time, or a mark there.
type tick struct {
	At     string // per cent
	Anchor string
	Text   string
}

// newChart draws the values of the buckets that begin at since, each as long as step.
func newChart(done, failed []float64, since time.Time, step time.Duration, marks []mark) *chart {
	const width, high, low = 1000, 150, 50
	var doneMost, failedMost float64
	for i := range done {
		doneMost, failedMost = max(doneMost, done[i]), max(failedMost, failed[i])
	}
	doneMost, failedMost = roundUp(doneMost), roundUp(failedMost)
	c := &chart{Done: pathTo(done, doneMost, width, high, high)}
	c.Area = fmt.Sprintf("%sL%d %dL0 %dZ", c.Done, width, high, high)
	c.DoneMost, c.DoneHalf, c.FailedMost = number(int(doneMost)), number(int(doneMost/2)), number(int(failedMost))
	if doneMost < 2 {
		c.DoneHalf = ""
	}
	slot := float64(width) / float64(max(len(failed)-1, 1))
	var bars strings.Builder
	for i, v := range failed {
		if v > 0 {
			x := slot * float64(i)
			fmt.Fprintf(&bars, "M%.1f %dV%.1fH%.1fV%dZ", x-slot*.36, low, low-max(low*v/failedMost, 1), x+slot*.36, low)
		}
	}
	c.Bars = bars.String()
	span := step * time.Duration(len(done)-1)
	for i, anchor := range []string{"start", "middle", "middle", "end"} {
		share := float64(i) / 3
		c.Times = append(c.Times, tick{fmt.Sprintf("%.1f%%", 100*share), anchor, axisTime(since.Add(time.Duration(share*float64(span))).UTC(), span)})
	}
	for _, m := range marks {
		share := float64(m.at.Sub(since)) / float64(span)
		if share >= 0 && share <= 1 {
			t := tick{fmt.Sprintf("%.1f%%", 100*share), "start", m.text}
			if share > .8 {
				t.Anchor = "end"
			}
			c.Marks = append(c.Marks, t)
		}
	}
	return c
}

// A mark is a moment at which something appeared.
type mark struct {
	at   time.Time
	text string
}

func axisTime(t time.Time, span time.Duration) string {
	if span > 25*time.Hour {
		return t.Format("2 Jan, 15:04")
	}
	return t.Format("15:04")
}

// roundUp returns the end of a scale that people can read: 1, 2, 4, 5 or 8 times a power of
// ten, and an even one above 1.
func roundUp(v float64) float64 {
	for step := 1.0; ; step *= 10 {
		for _, k := range []float64{1, 2, 4, 6, 8} {
			if k*step >= v {
				return k * step
			}
		}
	}
}
