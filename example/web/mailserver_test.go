package web

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// A mailServer is as much of a mail server (RFC 5321) as the example talks to.
// It knows no user called nobody.
type mailServer struct {
	addr     string
	received chan received
}

type received struct {
	from, to string
	message  []byte
}

func startMailServer(t *testing.T) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{addr: l.Addr().String(), received: make(chan received, 10)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				if err := s.serve(conn); err != nil && err != io.EOF {
					t.Errorf("mail server: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return s
}

func (s *mailServer) serve(conn net.Conn) error {
	defer conn.Close()
	text := textproto.NewConn(conn)
	reply := "220 ready"
	var got received
	for {
		if err := text.PrintfLine("%s", reply); err != nil {
			return err
		}
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(line, " ")
		reply = "250 ok"
		switch verb {
		case "MAIL":
			got.from = address(rest)
		case "RCPT":
			if got.to = address(rest); strings.HasPrefix(got.to, "nobody@") {
				reply = "550 no such user"
			}
		case "DATA":
			if err := text.PrintfLine("354 go on"); err != nil {
				return err
			}
			if got.message, err = text.ReadDotBytes(); err != nil {
				return err
			}
			got.message = bytes.ReplaceAll(got.message, []byte("\n"), []byte("\r\n"))
			s.received <- got
		case "EHLO", "HELO":
		case "QUIT":
			return text.PrintfLine("221 bye")
		default:
			return fmt.Errorf("what is %q?", line)
		}
	}
}

// address returns what stands between angle brackets.
func address(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}
