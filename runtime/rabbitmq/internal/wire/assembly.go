package wire

import "fmt"

// An assembly puts the messages of a channel together from their frames: a
// method, the properties, and the body in parts. A body that nobody can use is
// discarded part by part. Only the goroutine that reads uses it.
type assembly struct {
	maxBody   uint64            // the size of bodies that are kept; 0 for any
	content   *content          // the message that is being received, or nil
	consumers map[string]string // the tags that were seen
	key       string            // of the last delivery
	tag       uint64            // of the last delivery
}

// A content is a message of which not all frames have come.
type content struct {
	*Delivery
	returned bool // else delivered
	discard  bool // its body
	opened   bool // the properties have come
	missing  uint64
}

// begun reports whether a message has begun and is not complete.
func (a *assembly) begun() bool { return a.content != nil }

// returned begins a message that is returned.
func (a *assembly) returned(key string) {
	a.content = &content{Delivery: &Delivery{Key: key}, returned: true}
}

// deliver begins a message that is delivered. Its strings are the same again
// and again, and made once.
func (a *assembly) deliver(arguments []byte) error {
	d := &Delivery{}
	a.content = &content{Delivery: d}
	n := 0
	short := func() []byte { // of the rest of the arguments
		if n >= len(arguments) || n+1+int(arguments[n]) > len(arguments) {
			n = len(arguments) + 1
			return nil
		}
		s := arguments[n+1 : n+1+int(arguments[n])]
		n += 1 + len(s)
		return s
	}
	tag := short()
	var ok bool
	if d.Consumer, ok = a.consumers[string(tag)]; !ok {
		d.Consumer = string(tag)
		a.consumers[d.Consumer] = d.Consumer
	}
	if n+9 > len(arguments) {
		return errFrame
	}
	for _, b := range arguments[n : n+8] {
		d.Tag = d.Tag<<8 | uint64(b)
	}
	if a.tag++; d.Tag != a.tag {
		return fmt.Errorf("RabbitMQ delivers message %d after %d", d.Tag, a.tag-1)
	}
	n += 9  // and whether it was delivered before
	short() // exchange
	if key := short(); string(key) != a.key {
		a.key = string(key)
	}
	d.Key = a.key
	if n > len(arguments) {
		return errFrame
	}
	return nil
}

// properties takes the size and the properties of a content, and returns it if
// it is complete.
func (a *assembly) properties(payload string) (*content, error) {
	c := a.content
	if c == nil || c.opened {
		return nil, errFrame
	}
	c.opened = true
	var err error
	if c.missing, c.Properties, err = parseContent(payload); err != nil {
		return nil, err
	}
	switch {
	case c.returned: // only its id is of interest
		c.discard = true
	case a.maxBody > 0 && c.missing > a.maxBody:
		c.Discarded, c.discard = c.missing, true
	default:
		c.Body = make([]byte, 0, min(c.missing, frameSize))
	}
	return a.complete(), nil
}

// body takes a part of the body of a content, and returns the content if it is
// complete.
func (a *assembly) body(part []byte) (*content, error) {
	c := a.content
	if c == nil || !c.opened || uint64(len(part)) > c.missing {
		return nil, errFrame
	}
	if !c.discard {
		c.Body = append(c.Body, part...)
	}
	c.missing -= uint64(len(part))
	return a.complete(), nil
}

// complete returns the content if nothing is missing.
func (a *assembly) complete() *content {
	c := a.content
	if c.missing > 0 {
		return nil
	}
	a.content = nil
	return c
}
