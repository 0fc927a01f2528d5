// Package wiretest has a server for tests that speaks AMQP: it opens
// connections and channels as RabbitMQ does, and for the rest does what the test
// says.
package wiretest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// A Server serves one connection.
type Server struct {
	// Handle is called with every frame of the client's. If it returns true the
	// server does not answer the frame. It may be nil.
	Handle func(Frame) bool

	// ChannelMax and FrameMax are what the server says in Tune.
	ChannelMax uint16
	FrameMax   uint32

	// Capabilities are the server's, as a table in its encoded form.
	Capabilities string

	conn net.Conn
	mu   sync.Mutex // one writes at a time
	err  error      // see Wait
	done chan struct{}
}

// New returns a server and the client's end of its connection. Serve starts it.
func New(t testing.TB) (*Server, net.Conn) {
	client, server := net.Pipe()
	s := &Server{ChannelMax: FirstChannel, FrameMax: 128 << 10, conn: server, done: make(chan struct{})}
	t.Cleanup(func() { server.Close() })
	return s, client
}

// FirstChannel is the number of the first channel of a client of package wire.
const FirstChannel = 2047

// Serve answers the client, in the background, until the connection ends.
func (s *Server) Serve() {
	go func() {
		defer close(s.done)
		defer s.conn.Close()
		s.err = s.run()
	}()
}

// Wait waits for the end of the connection, and returns the error of the
// client's frames if they were malformed.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Close ends the connection without a word.
func (s *Server) Close() { s.conn.Close() }

// Send sends frames. Errors are those of a connection that has ended.
func (s *Server) Send(frames ...Frame) {
	var b []byte
	for _, f := range frames {
		b = append(b, f.Bytes()...)
	}
	s.SendBytes(b)
}

// SendBytes sends bytes as they are.
func (s *Server) SendBytes(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.Write(b)
}

func (s *Server) run() error {
	header := make([]byte, 8)
	if _, err := io.ReadFull(s.conn, header); err != nil {
		return nil
	}
	if !bytes.Equal(header, []byte("AMQP\x00\x00\x09\x01")) {
		return errors.New("the client does not begin with the protocol header")
	}
	properties := Long("")
	if s.Capabilities != "" {
		properties = "\x0ccapabilitiesF" + Long(lengthOf(s.Capabilities)+s.Capabilities)
	}
	s.Send(Method(0, 10, 10, uint8(0), uint8(9), properties, Long("PLAIN"), Long("en_US")))
	for {
		f, err := ReadFrame(s.conn)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Handle != nil && s.Handle(f) {
			continue
		}
		if !s.answer(f) {
			return nil
		}
	}
}

func lengthOf(s string) string {
	n := len(s)
	return string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// answer answers a frame as RabbitMQ does, if it is a call. It returns false
// after the last one.
func (s *Server) answer(f Frame) bool {
	short := func(skip int) string { // of the arguments
		b := f.Payload[4+skip:]
		return string(b[1 : 1+int(b[0])])
	}
	reply := func(class, method uint16, arguments ...any) {
		s.Send(Method(f.Channel, class, method, arguments...))
	}
	switch f.Method() {
	case 10<<16 | 11: // connection.start-ok
		reply(10, 30, s.ChannelMax, s.FrameMax, uint16(0)) // tune
	case 10<<16 | 40: // connection.open
		reply(10, 41, "")
	case 10<<16 | 50: // connection.close
		reply(10, 51)
		return false
	case 20<<16 | 10: // channel.open
		reply(20, 11, Long(""))
	case 20<<16 | 40: // channel.close
		reply(20, 41)
	case 40<<16 | 10: // exchange.declare
		reply(40, 11)
	case 50<<16 | 10: // queue.declare
		reply(50, 11, short(2), uint32(0), uint32(0))
	case 50<<16 | 20: // queue.bind
		reply(50, 21)
	case 60<<16 | 10: // basic.qos
		reply(60, 11)
	case 60<<16 | 20: // basic.consume
		queue := short(2)
		reply(60, 21, short(3+len(queue)))
	case 60<<16 | 30: // basic.cancel
		reply(60, 31, short(0))
	case 85<<16 | 10: // confirm.select
		reply(85, 11)
	}
	return true
}
