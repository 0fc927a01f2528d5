package scan

import (
	"go/ast"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The names of generated functions that do not depend on a task.
const (
	TasksFunc = "Tasks"    // the dispatch table of a package
	TableFunc = "allTasks" // the table of a program
)

// generatedNames returns the names that are generated for a function or method.
// They are exported if the function is, and the type of its receiver too.
func generatedNames(fn string, receiver *Receiver) Names {
	base, exported := fn, ast.IsExported(fn)
	if receiver != nil {
		base = receiver.Type + Capitalize(fn)
		exported = exported && ast.IsExported(receiver.Type)
	}
	if !exported {
		return Names{
			Args:  Uncapitalize(base) + "Args",
			Task:  Uncapitalize(base) + "Task",
			Delay: "delay" + Capitalize(base),
		}
	}
	return Names{Args: base + "Args", Task: base + "Task", Delay: "Delay" + base}
}

// Capitalize makes the first letter of s a capital one, if it can be.
func Capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// Uncapitalize makes the first word of s lower case: Mailer becomes mailer,
// HTTPClient httpClient, ID id.
func Uncapitalize(s string) string {
	runes := []rune(s)
	for i, r := range runes {
		if !unicode.IsUpper(r) || i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}

// Identifiers returns the identifiers in the text of w: names, keywords, and
// names of fields.
func (w Word) Identifiers() []string {
	return strings.FieldsFunc(w.Text, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
