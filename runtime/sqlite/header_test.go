package sqlite

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// flip flips a bit of the file, behind the back of SQLite.
func flip(t *testing.T, file string, at int64, bit byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // not before: a close drops the locks of SQLite
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bit
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// A bit of the file's header flips, or one of an index. Either it matters to nobody,
// and a worker gets all messages; or the worker ends, and a client that had the file
// open before confirms nothing any more.
func TestFlippedBit(t *testing.T) {
	// See https://www.sqlite.org/fileformat2.html#the_database_header.
	harmful := map[string]int64{
		"magic": 3, "page size": 16, "write version": 18, "read version": 19, "reserved space": 20, "fraction": 21,
		"size": 30, "schema format": 47,
	}
	for name, at := range harmful {
		for _, bit := range []byte{1, 0x40} {
			t.Run(fmt.Sprintf("%s %x", name, bit), func(t *testing.T) {
				t.Parallel()
				file, client := fileWithMessages(t)
				flip(t, file, at, bit)
				if all, err := consumeAll(t, file); all || err == nil {
					t.Errorf("a worker got all messages: %v, error %v", all, err)
				}
				refused(t, client)
			})
		}
	}
	for _, at := range []int64{24, 36, 37, 40, 43, 52, 56, 59, 60, 64, 68, 72, 92, 96} {
		t.Run(fmt.Sprint("at ", at), func(t *testing.T) {
			t.Parallel()
			file, client := fileWithMessages(t)
			flip(t, file, at, 2)
			if all, err := consumeAll(t, file); !all && err != nil {
				refused(t, client)
			} else if !all {
				t.Error("messages are missing, and nobody says so")
			}
		})
	}
	for name, at := range map[string]int64{"kind of page": 0, "number of entries": 4, "place of an entry": 8} {
		for _, index := range []string{"dtask_waiting", "sqlite_autoindex_dtask_messages_1"} {
			t.Run(index+" "+name, func(t *testing.T) {
				t.Parallel()
				file, client := fileWithMessages(t)
				c := openConn(t, file)
				page := mustInt(t, c, "SELECT rootpage FROM sqlite_schema WHERE name = '"+index+"'")
				flip(t, file, (page-1)*mustInt(t, c, "PRAGMA page_size")+at, 8)
				if all, err := consumeAll(t, file); !all && err != nil {
					refused(t, client)
				} else if !all {
					t.Error("messages are missing, and nobody says so")
				}
			})
		}
	}
}

const manyMessages = 300

// fileWithMessages returns a file with messages, and a broker that has it open. The
// log is empty.
func fileWithMessages(t *testing.T) (file string, client *Broker) {
	t.Helper()
	file = newFile(t)
	client = openFailing(t, file)
	mustEnqueue(t, client, newMessages("q", manyMessages)...)
	if err := openConn(t, file).script("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	return file, client
}

// consumeAll works the queue off, as a worker does that is started now. It returns
// why it could not.
func consumeAll(t *testing.T, file string) (all bool, err error) {
	t.Helper()
	b, err := Open(testContext(t), "sqlite:"+file, broker.Config{})
	if err != nil {
		return false, err
	}
	defer b.Close()
	c, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 10})
	if err != nil {
		return false, err
	}
	patience := time.After(10 * time.Second)
	for range manyMessages {
		select {
		case d, ok := <-c.Deliveries():
			if !ok {
				return false, b.Err()
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		case <-patience:
			return false, b.Err()
		}
	}
	return true, nil
}

// refused waits until a broker confirms nothing any more, with the reason.
func refused(t *testing.T, client *Broker) {
	t.Helper()
	var err error
	eventually(t, "a client refuses", func() bool {
		err = client.Enqueue(testContext(t), newMessage("q"))
		return err != nil
	})
	if !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a client refuses with %v, want that the file is damaged", err)
	}
}
