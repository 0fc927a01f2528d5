package jsonwire

import "github.com/dtaskhq/dtask/internal/fieldtag"

// wrongWas returns the fields whose tags claim names that others have, or claim too.
func wrongWas(fields []jsonField) []lostField {
	var plain []fieldtag.Field
	for _, f := range fields {
		plain = append(plain, fieldtag.Field{Name: f.name, Was: f.was, Go: f.path})
	}
	var wrong []lostField
	for _, c := range fieldtag.Clashes(plain) {
		f := fields[c.Index]
		wrong = append(wrong, lostField{f.path, f.v, "its tag says that " + c.Reason, c.Hint})
	}
	return wrong
}
