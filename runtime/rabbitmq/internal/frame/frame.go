// Package frame encodes and decodes the frames in which AMQP 0-9-1 carries
// messages: methods, the properties of a message, its body. It appends to
// buffers and reads from strings, and keeps nothing.
//
// The specification is https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf,
// sections 2.3.5 and 4.2; RabbitMQ's field types are at
// https://www.rabbitmq.com/amqp-0-9-1-errata#section_3.
package frame

import "encoding/binary"

// The types of frames that belong to a channel.
const (
	TypeMethod = 1
	TypeHeader = 2 // of a content: its size and its properties
	TypeBody   = 3 // a part of a content
)

const (
	// HeadSize is the size of what precedes the payload of a frame: its type,
	// its channel, and the size of its payload.
	HeadSize = 7

	// Overhead is the size of a frame without its payload.
	Overhead = HeadSize + 1

	end = 0xCE
)

// ParseHead returns what the first HeadSize bytes of a frame say.
func ParseHead(b []byte) (typ byte, channel uint16, size uint32) {
	return b[0], binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint32(b[3:])
}

// Complete reports whether a frame ends as frames do.
func Complete(whole []byte) bool { return whole[len(whole)-1] == end }

// begin appends the head of a frame whose size is not known yet.
func begin(b []byte, typ byte, channel uint16) []byte {
	b = append(b, typ)
	b = binary.BigEndian.AppendUint16(b, channel)
	return append(b, 0, 0, 0, 0)
}

// finish ends the frame that begins at b[start].
func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+3:], uint32(len(b)-start-HeadSize))
	return append(b, end)
}

// A Method is the class and the number of a method.
type Method uint32

// The methods that are of concern here.
const (
	ConnectionTune   Method = 10<<16 | 30
	ConnectionTuneOK Method = 10<<16 | 31
	ChannelOpen      Method = 20<<16 | 10
	ChannelOpenOK    Method = 20<<16 | 11
	ChannelFlow      Method = 20<<16 | 20
	ChannelFlowOK    Method = 20<<16 | 21
	ChannelClose     Method = 20<<16 | 40
	ChannelCloseOK   Method = 20<<16 | 41
	QueueDeclare     Method = 50<<16 | 10
	QueueDeclareOK   Method = 50<<16 | 11
	BasicQoS         Method = 60<<16 | 10
	BasicQoSOK       Method = 60<<16 | 11
	BasicConsume     Method = 60<<16 | 20
	BasicConsumeOK   Method = 60<<16 | 21
	BasicCancel      Method = 60<<16 | 30
	BasicCancelOK    Method = 60<<16 | 31
	BasicPublish     Method = 60<<16 | 40
	BasicReturn      Method = 60<<16 | 50
	BasicDeliver     Method = 60<<16 | 60
	BasicAck         Method = 60<<16 | 80
	BasicReject      Method = 60<<16 | 90
	BasicNack        Method = 60<<16 | 120
	ConfirmSelect    Method = 85<<16 | 10
	ConfirmSelectOK  Method = 85<<16 | 11
	classBasic              = 60
	flagMandatory           = 1
	maxShort                = 255
	tableLengthBytes        = 4
)

// SplitMethod returns the method of a method frame's payload, and its
// arguments. A payload that is too short has the method 0.
func SplitMethod(payload []byte) (Method, []byte) {
	if len(payload) < 4 {
		return 0, nil
	}
	return Method(binary.BigEndian.Uint32(payload)), payload[4:]
}

// AppendMethod appends a method frame with the given arguments.
func AppendMethod(b []byte, channel uint16, m Method, arguments []byte) []byte {
	start := len(b)
	b = begin(b, TypeMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(m))
	b = append(b, arguments...)
	return finish(b, start)
}

// AppendAck appends a method frame that acknowledges (BasicAck), or rejects
// (BasicNack, BasicReject), with one octet of flags.
func AppendAck(b []byte, channel uint16, m Method, tag uint64, flags byte) []byte {
	start := len(b)
	b = begin(b, TypeMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(m))
	b = binary.BigEndian.AppendUint64(b, tag)
	b = append(b, flags)
	return finish(b, start)
}

// AppendPublish appends the frames that publish a message, mandatory, to an
// exchange. No frame is longer than maxFrame; the properties must fit into one.
func AppendPublish(b []byte, channel uint16, maxFrame int, exchange, key string, p *Properties, body []byte) []byte {
	start := len(b)
	b = begin(b, TypeMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(BasicPublish))
	b = append(b, 0, 0) // reserved
	b = AppendShort(b, exchange)
	b = AppendShort(b, key)
	b = append(b, flagMandatory)
	b = finish(b, start)

	start = len(b)
	b = begin(b, TypeHeader, channel)
	b = AppendContent(b, len(body), p)
	b = finish(b, start)

	for len(body) > 0 {
		part := body[:min(len(body), maxFrame-Overhead)]
		body = body[len(part):]
		start = len(b)
		b = begin(b, TypeBody, channel)
		b = append(b, part...)
		b = finish(b, start)
	}
	return b
}

// AppendShort appends a short string. What is beyond 255 bytes is cut off.
func AppendShort(b []byte, s string) []byte {
	s = s[:min(len(s), maxShort)]
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// A Reader reads the fields of arguments and properties, one after the other.
// Beyond the end it reads zeros, and remembers that.
type Reader struct {
	rest   string
	failed bool
}

// NewReader returns a reader of s.
func NewReader(s string) *Reader { return &Reader{rest: s} }

// OK reports whether all that was read was there.
func (r *Reader) OK() bool { return !r.failed }

func (r *Reader) take(n int) string {
	if n < 0 || n > len(r.rest) {
		r.failed, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// uint reads an integer of n bytes.
func (r *Reader) uint(n int) (v uint64) {
	s := r.take(n)
	for i := range len(s) {
		v = v<<8 | uint64(s[i])
	}
	return v
}

// Octet reads one byte.
func (r *Reader) Octet() byte { return byte(r.uint(1)) }

// Uint16 reads an integer of two bytes.
func (r *Reader) Uint16() uint16 { return uint16(r.uint(2)) }

// Uint32 reads an integer of four bytes.
func (r *Reader) Uint32() uint32 { return uint32(r.uint(4)) }

// Uint64 reads an integer of eight bytes.
func (r *Reader) Uint64() uint64 { return r.uint(8) }

// Short reads a short string.
func (r *Reader) Short() string { return r.take(int(r.Octet())) }

// Table reads a table.
func (r *Reader) Table() Table { return Table(r.take(int(r.uint(tableLengthBytes)))) }
