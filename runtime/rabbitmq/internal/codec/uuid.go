package codec

// UUIDMilli returns the time, in Unix milliseconds, that a UUIDv7 holds (RFC
// 9562, section 5.7).
func UUIDMilli(id string) (ms int64, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' {
		return 0, false
	}
	for i := range 13 {
		c := id[i]
		switch {
		case '0' <= c && c <= '9':
			ms = ms<<4 | int64(c-'0')
		case 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
			ms = ms<<4 | int64(c|0x20-'a'+10)
		case i == 8:
		default:
			return 0, false
		}
	}
	return ms, true
}
