// Package directive reads the directives of dtask in comments: which there are,
// where they stand, and what their options say. It looks at text alone and knows
// no types.
//
// The table Kinds holds the directives, and the table Options their options.
package directive

// The names of the directives.
const (
	Task    = "task"
	Cron    = "cron"
	Param   = "param"
	Table   = "table"
	Upcast  = "upcast"
	Retired = "retired"
)

// A Kind is a directive.
type Kind struct {
	Name  string
	Place Place
	Many  bool // a declaration can have several
}

// A Place is where a directive can stand.
type Place int

// The places, each in the comment directly above a declaration or the package
// clause.
const (
	OnFunction Place = iota // of a function or method
	OnTask                  // of a function or method that is a task
	OnMain                  // of anything in a package main
	OnPackage               // of a package clause
)

// Kinds are the directives.
var Kinds = []Kind{
	{Task, OnFunction, false},
	{Cron, OnTask, false},
	{Param, OnTask, true},
	{Table, OnMain, false},
	{Upcast, OnFunction, false},
	{Retired, OnPackage, true},
}

// tool is what a directive begins with, after the slashes.
const tool = "dtask"

// place returns where the directive with a name can stand.
func place(name string) (p Place, known bool) {
	k, known := kind(name)
	return k.Place, known
}

func kind(name string) (k Kind, known bool) {
	for _, k := range Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return k, false
}

// names returns the names of all directives.
func names() []string {
	var list []string
	for _, k := range Kinds {
		list = append(list, k.Name)
	}
	return list
}
