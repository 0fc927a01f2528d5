package broker

import "strings"

// LogCut begins a [Failure].Log whose earlier lines were left out.
const LogCut = "… earlier lines are left out\n"

// ShortenLog returns the newest lines of a log, at most so many bytes: none if not even
// one fits with the line that says so.
func ShortenLog(text string, most int) string {
	if len(text) <= most {
		return text
	}
	most -= len(LogCut)
	if most <= 0 {
		return ""
	}
	_, rest, _ := strings.Cut(text[len(text)-most:], "\n")
	if rest == "" {
		return ""
	}
	return LogCut + rest
}
