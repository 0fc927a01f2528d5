package schema

// A number is a numeric type.
type number struct {
	bits     int
	unsigned bool
	float    bool
}

// numbers are the numeric types of Go that JSON can hold. An int has 64 bits, as
// on every machine that dtask is built for in practice.
var numbers = map[string]number{
	"int": {64, false, false}, "int8": {8, false, false}, "int16": {16, false, false}, "int32": {32, false, false}, "int64": {64, false, false},
	"uint": {64, true, false}, "uint8": {8, true, false}, "uint16": {16, true, false}, "uint32": {32, true, false}, "uint64": {64, true, false},
	"float32": {32, false, true}, "float64": {64, false, true},
}

// holds reports whether n can hold every value of an integer type.
func (n number) holds(other number) bool {
	switch {
	case n.unsigned == other.unsigned:
		return n.bits >= other.bits
	case other.unsigned:
		return n.bits > other.bits
	}
	return false
}
