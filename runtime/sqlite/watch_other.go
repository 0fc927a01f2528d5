//go:build !linux

package sqlite

// walWatch notices writes to the write-ahead log on Linux alone. Elsewhere an
// idle writer looks at the file every few milliseconds.
type walWatch struct{}

func newWALWatch(string, func()) *walWatch { return nil }
func (*walWatch) arm() (news, ok bool)     { return false, false }
func (*walWatch) disarm()                  {}
func (*walWatch) close()                   {}
