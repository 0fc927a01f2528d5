package wire

// A reader reads the fields of arguments and properties, one after the other.
// Beyond the end it reads zeros, and remembers that.
type reader struct {
	rest   string
	failed bool
}

// ok reports whether all that was read was there.
func (r *reader) ok() bool { return !r.failed }

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// uint reads an integer of n bytes.
func (r *reader) uint(n int) (v uint64) {
	s := r.take(n)
	for i := range len(s) {
		v = v<<8 | uint64(s[i])
	}
	return v
}

func (r *reader) octet() byte { return byte(r.uint(1)) }

// short reads a short string.
func (r *reader) short() string { return r.take(int(r.octet())) }

// table reads a table.
func (r *reader) table() Table { return Table(r.take(int(r.uint(tableLength)))) }
