//go:build !linux

package sqlite

// bell would ring when another process writes; see bell_linux.go. Elsewhere an
// idle writer looks every few milliseconds.
type bell struct{}

func newBell(string, func()) *bell { return nil }
func (*bell) arm() (news, ok bool) { return false, false }
func (*bell) disarm()              {}
func (*bell) close()               {}
