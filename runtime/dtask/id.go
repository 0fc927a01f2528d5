package dtask

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// newID returns a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix
// milliseconds, 12 bits of the fraction of a millisecond (section 6.2, method
// 3), then 62 random bits. Ids sort by time, which keeps the index of a database
// compact.
func newID(now time.Time) string {
	var u [16]byte
	rand.Read(u[6:]) // never fails
	ms := now.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	fraction := now.UnixNano() % 1e6 << 12 / 1e6
	u[6], u[7] = 0x70|byte(fraction>>8), byte(fraction)
	u[8] = 0x80 | u[8]&0x3f

	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:36], u[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
