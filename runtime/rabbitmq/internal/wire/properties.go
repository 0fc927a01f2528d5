package wire

import (
	"encoding/binary"
	"errors"
)

// Properties are those of a message. Zero values are absent. The user id and
// the cluster id are read past: what carries them cannot be published by others.
type Properties struct {
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    byte
	Priority        byte
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds
	MessageID       string
	Timestamp       int64 // Unix seconds
	Type            string
	AppID           string
}

// Persistent is the delivery mode of messages that survive a restart.
const Persistent = 2

// The flags of properties, in the order in which they stand.
const (
	flagContentType = 1 << (15 - iota)
	flagContentEncoding
	flagHeaders
	flagDeliveryMode
	flagPriority
	flagCorrelationID
	flagReplyTo
	flagExpiration
	flagMessageID
	flagTimestamp
	flagType
	flagUserID
	flagAppID
	flagClusterID
)

var errProperties = errors.New("malformed properties of a message")

// parseContent returns what the payload of a header frame says: the size of the
// body, and the properties, which refer to the payload.
func parseContent(payload string) (bodySize uint64, p Properties, err error) {
	r := reader{rest: payload}
	r.take(4) // class, weight
	bodySize = r.uint(8)
	flags := uint16(r.uint(2))
	short := func(flag uint16, s *string) {
		if flags&flag != 0 {
			*s = r.short()
		}
	}
	var dropped string
	short(flagContentType, &p.ContentType)
	short(flagContentEncoding, &p.ContentEncoding)
	if flags&flagHeaders != 0 {
		p.Headers = r.table()
	}
	if flags&flagDeliveryMode != 0 {
		p.DeliveryMode = r.octet()
	}
	if flags&flagPriority != 0 {
		p.Priority = r.octet()
	}
	short(flagCorrelationID, &p.CorrelationID)
	short(flagReplyTo, &p.ReplyTo)
	short(flagExpiration, &p.Expiration)
	short(flagMessageID, &p.MessageID)
	if flags&flagTimestamp != 0 {
		p.Timestamp = int64(r.uint(8))
	}
	short(flagType, &p.Type)
	short(flagUserID, &dropped)
	short(flagAppID, &p.AppID)
	short(flagClusterID, &dropped)
	if !r.ok() || !p.Headers.valid() {
		return 0, Properties{}, errProperties
	}
	return bodySize, p, nil
}

// Size returns how many bytes of a frame the properties take, at most.
func (p *Properties) Size() int {
	const fixed = 12 + 2 + 4 + 1 + 1 + 8 + 10 // and the lengths of the strings
	return fixed + len(p.Headers) + len(p.ContentType) + len(p.ContentEncoding) + len(p.CorrelationID) +
		len(p.ReplyTo) + max(len(p.Expiration), len("4294967295")) + len(p.MessageID) + len(p.Type) + len(p.AppID)
}

// appendContent appends the payload of a header frame: what parseContent reads.
func appendContent(b []byte, bodySize int, p *Properties) []byte {
	b = append(b, 0, byte(basicPublish>>16), 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(bodySize))
	start := len(b)
	b = append(b, 0, 0)
	var flags uint16
	short := func(flag uint16, s string) {
		if s != "" {
			flags |= flag
			b = appendShort(b, s)
		}
	}
	octet := func(flag uint16, v byte) {
		if v != 0 {
			flags |= flag
			b = append(b, v)
		}
	}
	short(flagContentType, p.ContentType)
	short(flagContentEncoding, p.ContentEncoding)
	if p.Headers != "" {
		flags |= flagHeaders
		b = appendLong(b, string(p.Headers))
	}
	octet(flagDeliveryMode, p.DeliveryMode)
	octet(flagPriority, p.Priority)
	short(flagCorrelationID, p.CorrelationID)
	short(flagReplyTo, p.ReplyTo)
	short(flagExpiration, p.Expiration)
	short(flagMessageID, p.MessageID)
	if p.Timestamp != 0 {
		flags |= flagTimestamp
		b = binary.BigEndian.AppendUint64(b, uint64(p.Timestamp))
	}
	short(flagType, p.Type)
	short(flagAppID, p.AppID)
	binary.BigEndian.PutUint16(b[start:], flags)
	return b
}
