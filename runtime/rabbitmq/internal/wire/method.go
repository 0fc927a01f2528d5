package wire

import "encoding/binary"

// A method is the class and the number of a method.
type method uint32

// The methods that are of concern here.
const (
	connectionTune   method = 10<<16 | 30
	connectionTuneOK method = 10<<16 | 31
	channelOpen      method = 20<<16 | 10
	channelOpenOK    method = 20<<16 | 11
	channelFlow      method = 20<<16 | 20
	channelFlowOK    method = 20<<16 | 21
	channelClose     method = 20<<16 | 40
	channelCloseOK   method = 20<<16 | 41
	queueDeclare     method = 50<<16 | 10
	queueDeclareOK   method = 50<<16 | 11
	basicQoS         method = 60<<16 | 10
	basicQoSOK       method = 60<<16 | 11
	basicConsume     method = 60<<16 | 20
	basicConsumeOK   method = 60<<16 | 21
	basicCancel      method = 60<<16 | 30
	basicCancelOK    method = 60<<16 | 31
	basicPublish     method = 60<<16 | 40
	basicReturn      method = 60<<16 | 50
	basicDeliver     method = 60<<16 | 60
	basicAck         method = 60<<16 | 80
	basicReject      method = 60<<16 | 90
	basicNack        method = 60<<16 | 120
	confirmSelect    method = 85<<16 | 10
	confirmSelectOK  method = 85<<16 | 11
)

// splitMethod returns the method of a method frame's payload, and its
// arguments. A payload that is too short has the method 0.
func splitMethod(payload []byte) (method, []byte) {
	if len(payload) < 4 {
		return 0, nil
	}
	return method(binary.BigEndian.Uint32(payload)), payload[4:]
}

// appendMethod appends a method frame with the given arguments.
func appendMethod(b []byte, channel uint16, m method, arguments []byte) []byte {
	start := len(b)
	b = begin(b, frameMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(m))
	b = append(b, arguments...)
	return finish(b, start)
}

// appendAck appends a method frame that acknowledges (basicAck), or rejects
// (basicNack, basicReject), with one octet of flags.
func appendAck(b []byte, channel uint16, m method, tag uint64, flags byte) []byte {
	start := len(b)
	b = begin(b, frameMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(m))
	b = binary.BigEndian.AppendUint64(b, tag)
	b = append(b, flags)
	return finish(b, start)
}

// appendPublish appends the frames that publish a message, mandatory, to an
// exchange. No frame is longer than maxFrame; the properties must fit into one.
func appendPublish(b []byte, channel uint16, maxFrame int, exchange, key string, p *Properties, body []byte) []byte {
	const mandatory = 1
	start := len(b)
	b = begin(b, frameMethod, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(basicPublish))
	b = append(b, 0, 0) // reserved
	b = appendShort(b, exchange)
	b = appendShort(b, key)
	b = append(b, mandatory)
	b = finish(b, start)

	start = len(b)
	b = begin(b, frameHeader, channel)
	b = appendContent(b, len(body), p)
	b = finish(b, start)

	for len(body) > 0 {
		part := body[:min(len(body), maxFrame-overhead)]
		body = body[len(part):]
		start = len(b)
		b = begin(b, frameBody, channel)
		b = append(b, part...)
		b = finish(b, start)
	}
	return b
}

// maxShort is the length of the longest short string.
const maxShort = 255

// appendShort appends a short string. What is beyond 255 bytes is cut off.
func appendShort(b []byte, s string) []byte {
	s = s[:min(len(s), maxShort)]
	b = append(b, byte(len(s)))
	return append(b, s...)
}

// appendLong appends a long string.
func appendLong(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
