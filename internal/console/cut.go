package console

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/internal/printable"
)

// maxCell is how many characters of a text are shown in a table.
const maxCell = 60

// cell returns text of others as it is shown in a table or in a line.
func cell(s string) string {
	if len(s) > 8*maxCell { // it may have megabytes
		s = s[:8*maxCell]
	}
	return printable.Cut(printable.Text(s, ""), maxCell)
}

// shortTask returns what is behind the last slash of the name of a task.
func shortTask(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// clock returns a time as people read it who know what day it is.
func clock(t time.Time) string {
	if d := time.Until(t).Abs(); d < 20*time.Hour {
		return t.Local().Format("15:04:05")
	}
	return t.Local().Format("2006-01-02 15:04")
}

// withoutControls returns JSON in which what a terminal would obey, or would not show,
// is escaped. It means the same. What is not UTF-8 is replaced.
func withoutControls(json []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(json) {
		switch {
		case r == '\n' || unicode.IsPrint(r) && r != utf8.RuneError:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
