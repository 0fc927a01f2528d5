package wiretest

import (
	"encoding/binary"
	"fmt"
	"io"
)

// The types of frames.
const (
	TypeMethod = 1
	TypeHeader = 2
	TypeBody   = 3
)

// A Frame is what one side sends to the other.
type Frame struct {
	Type    byte
	Channel uint16
	Payload []byte
}

// Method returns the class and the number of a method, or 0.
func (f Frame) Method() uint32 {
	if f.Type != TypeMethod || len(f.Payload) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(f.Payload)
}

// Bytes returns the frame as it is sent.
func (f Frame) Bytes() []byte {
	b := []byte{f.Type}
	b = binary.BigEndian.AppendUint16(b, f.Channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Payload)))
	return append(append(b, f.Payload...), 0xCE)
}

// ReadFrame reads a frame.
func ReadFrame(r io.Reader) (Frame, error) {
	head := make([]byte, 7)
	if _, err := io.ReadFull(r, head); err != nil {
		return Frame{}, err
	}
	f := Frame{Type: head[0], Channel: binary.BigEndian.Uint16(head[1:])}
	rest := make([]byte, int(binary.BigEndian.Uint32(head[3:]))+1)
	if _, err := io.ReadFull(r, rest); err != nil {
		return Frame{}, err
	}
	if f.Payload = rest[:len(rest)-1]; rest[len(rest)-1] != 0xCE {
		return Frame{}, fmt.Errorf("a frame of type %d on channel %d with %d bytes ends with %#x", f.Type, f.Channel, len(f.Payload), rest[len(rest)-1])
	}
	return f, nil
}

// A Long is a long string, or a table in its encoded form.
type Long string

// Method returns a method frame. An argument is an unsigned integer, a string,
// which is a short one, or a Long.
func Method(channel uint16, class, method uint16, arguments ...any) Frame {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, method)
	for _, a := range arguments {
		switch a := a.(type) {
		case uint8:
			b = append(b, a)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, a)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, a)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, a)
		case string:
			b = append(append(b, byte(len(a))), a...)
		case Long:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(a))), a...)
		default:
			panic(fmt.Sprintf("argument of type %T", a))
		}
	}
	return Frame{TypeMethod, channel, b}
}

// Delivery returns the frames of a message that is delivered. Its one property
// is its type.
func Delivery(channel uint16, tag uint64, consumer, key, typ, body string) []Frame {
	header := []byte{0, 60, 0, 0}
	header = binary.BigEndian.AppendUint64(header, uint64(len(body)))
	const flagType = 1 << 5
	header = append(header, 0, flagType, byte(len(typ)))
	header = append(header, typ...)
	fs := []Frame{
		Method(channel, 60, 60, consumer, tag, uint8(0), "", key),
		{TypeHeader, channel, header},
	}
	if body != "" {
		fs = append(fs, Frame{TypeBody, channel, []byte(body)})
	}
	return fs
}
