package wire

import "encoding/binary"

// A frame is a head, a payload and one octet at the end. The specification is
// https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.3.5 and
// 4.2.

// The types of frames that belong to a channel.
const (
	frameMethod = 1
	frameHeader = 2 // of a content: its size and its properties
	frameBody   = 3 // a part of a content
)

const (
	// headSize is the size of what precedes the payload: the type of the frame,
	// its channel, and the size of the payload.
	headSize = 7

	// overhead is the size of a frame without its payload.
	overhead = headSize + 1

	frameEnd = 0xCE

	// frameSize is the largest frame that is offered to RabbitMQ, and its own
	// default.
	frameSize = 128 << 10
)

// parseHead returns what the first headSize bytes of a frame say.
func parseHead(b []byte) (typ byte, channel uint16, size uint32) {
	return b[0], binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint32(b[3:])
}

// complete reports whether a frame ends as frames do.
func complete(whole []byte) bool { return whole[len(whole)-1] == frameEnd }

// begin appends the head of a frame whose size is not known yet.
func begin(b []byte, typ byte, channel uint16) []byte {
	b = append(b, typ)
	b = binary.BigEndian.AppendUint16(b, channel)
	return append(b, 0, 0, 0, 0)
}

// finish ends the frame that begins at b[start].
func finish(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start+3:], uint32(len(b)-start-headSize))
	return append(b, frameEnd)
}
