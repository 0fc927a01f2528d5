// Package secrets hides the secret fields of arguments: from people who look at
// messages, and from the texts of errors.
//
// secrets.go says what is secret, hide.go hides it, and editor.go hides it so that it
// can be put back.
package secrets

import (
	"github.com/dtaskhq/dtask/internal/schema"
)

// Of returns the part of a task's fields that leads to secret ones, as lines: none if
// nothing is secret. It returns nil if the fields are not known: those that are given
// do not have the fingerprint of the task.
func Of(fields []string, fingerprint string) []string {
	s, err := schema.Parse(fields)
	if err != nil || s.Fingerprint() != fingerprint {
		return nil
	}
	return append([]string{}, s.Secrets().Lines()...)
}
