package wire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
)

// maxChannels is how many channels a connection has at most; it is RabbitMQ's
// own default.
const maxChannels = 2047

// numbers divides the numbers of the channels of a connection: the library has
// the lower half, we have the upper one.
//
// The library uses all numbers that it knows of, so it must not know ours. When
// RabbitMQ says how many channels there are (Tune), the library is shown half
// of that; when the library answers (TuneOk), RabbitMQ is shown the whole.
type numbers struct {
	library, all atomic.Uint32 // the highest numbers; 0 before Tune

	mu       sync.Mutex
	over     error                               // why no channel can be added any more
	channels atomic.Pointer[map[uint16]*Channel] // ours; the map is replaced, not changed
}

func (n *numbers) init() { n.channels.Store(&map[uint16]*Channel{}) }

// ours reports whether a number is for channels of ours.
func (n *numbers) ours(id uint16) bool {
	return n.all.Load() > 0 && uint32(id) > n.library.Load()
}

// divide divides the numbers up to all, of which 0 means as many as there can
// be. It returns the highest number of the library.
func (n *numbers) divide(all uint16) (library uint16) {
	if all == 0 || all > maxChannels {
		all = maxChannels
	}
	library = (all + 1) / 2
	n.library.Store(uint32(library))
	n.all.Store(uint32(all))
	return library
}

// channel returns the channel with the given number. It is nil once the
// connection is over, when frames may still be on their way.
func (n *numbers) channel(id uint16) (*Channel, error) {
	if ch := (*n.channels.Load())[id]; ch != nil {
		return ch, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over != nil {
		return nil, nil
	}
	return nil, fmt.Errorf("RabbitMQ sends a frame on channel %d, which is not open", id)
}

// add adds a channel, under the highest number that is free.
func (n *numbers) add(ch *Channel) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over != nil {
		return n.over
	}
	old := *n.channels.Load()
	all, library := n.all.Load(), n.library.Load()
	id := all
	for id > library && old[uint16(id)] != nil {
		id--
	}
	if id <= library {
		return fmt.Errorf("%d channels of the connection are in use; raise the channel_max of RabbitMQ, now %d", all-library, all)
	}
	ch.id = uint16(id)
	channels := maps.Clone(old)
	channels[ch.id] = ch
	n.channels.Store(&channels)
	return nil
}

// remove removes a channel for which no more frames come.
func (n *numbers) remove(ch *Channel) {
	n.mu.Lock()
	defer n.mu.Unlock()
	channels := maps.Clone(*n.channels.Load())
	if channels[ch.id] == ch {
		delete(channels, ch.id)
		n.channels.Store(&channels)
	}
}

// end forbids to add channels, and returns those that there are.
func (n *numbers) end(err error) map[uint16]*Channel {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = err
	return *n.channels.Load()
}

// tune shows the library how many channels it has, if the frame that comes next
// is RabbitMQ's Tune.
func (t *transport) tune(typ byte, size uint32) error {
	const channelMax = headSize + 4 // where it stands in the frame
	if t.numbers.all.Load() > 0 || typ != frameMethod || size < 6 {
		return nil
	}
	frame, err := t.reader.Peek(channelMax + 2)
	if err != nil {
		return err
	}
	if m, arguments := splitMethod(frame[headSize:]); m == connectionTune {
		library := t.numbers.divide(binary.BigEndian.Uint16(arguments))
		binary.BigEndian.PutUint16(arguments, library)
	}
	return nil
}

// tuned shows RabbitMQ how many channels there are, if the frame is the
// library's TuneOk.
func (t *transport) tuned(frame []byte) {
	if len(frame) < headSize+6 || frame[0] != frameMethod {
		return
	}
	if m, arguments := splitMethod(frame[headSize:]); m == connectionTuneOK {
		binary.BigEndian.PutUint16(arguments, uint16(t.numbers.all.Load()))
	}
}
