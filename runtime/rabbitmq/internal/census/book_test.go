package census

import (
	"fmt"
	"testing"
	"time"
)

// A record covers its kind for a day, and what is due by its time.
func TestBook(t *testing.T) {
	var b Book
	now := time.Now()
	mail, other := Kind{"mail", "Send", "v1"}, Kind{"mail", "Send", "v2"}
	if b.Covers(mail, time.Time{}) {
		t.Error("an empty book covers something")
	}
	b.Enter(b.Next(mail, time.Time{}))
	if !b.Covers(mail, time.Time{}) || b.Covers(other, time.Time{}) || b.Covers(mail, now.Add(time.Second)) {
		t.Error("a record at once covers another kind, or a delay, or not its own")
	}
	week := 7 * 24 * time.Hour
	r := b.Next(mail, now.Add(week))
	if r.Latest.Before(now.Add(week + slack)) {
		t.Errorf("latest %v, want some time later than the message", r.Latest)
	}
	b.Enter(r)
	for range 100 { // a constant delay needs no record for a while
		if !b.Covers(mail, time.Now().Add(week)) {
			t.Error("a delay as long as the last one is not covered")
		}
	}
	if b.Covers(mail, now.Add(2*week)) {
		t.Error("a delay twice as long is covered")
	}
	if r := b.Next(mail, time.Time{}); !r.Latest.After(now.Add(week)) {
		t.Errorf("a renewal forgets what is delayed: %v", r.Latest)
	}
	b.page(mail).recorded.Add(-int64(Valid / time.Second))
	if b.Covers(mail, time.Time{}) {
		t.Error("a record of yesterday covers")
	}
}

// A process names a bounded number of kinds. All others share one.
func TestBookIsBounded(t *testing.T) {
	var b Book
	records := 0
	for i := range 2 * MaxKinds {
		k := Kind{fmt.Sprint("queue", i), "Send", "v1"}
		if !b.Covers(k, time.Time{}) {
			records++
			b.Enter(b.Next(k, time.Time{}))
		}
		if !b.Covers(k, time.Time{}) {
			t.Fatalf("kind %d is not covered", i)
		}
	}
	if records != MaxKinds+1 || len(*b.pages.Load()) != MaxKinds+1 {
		t.Errorf("%d records, want %d", records, MaxKinds+1)
	}
}

func BenchmarkCovers(b *testing.B) {
	var book Book
	for i := range 50 {
		book.Enter(book.Next(Kind{"mail", fmt.Sprint("github.com/acme/shop/mail.Send", i), "91ab33f07c2e88d4"}, time.Time{}))
	}
	k := Kind{"mail", "github.com/acme/shop/mail.Send7", "91ab33f07c2e88d4"}
	for b.Loop() {
		if !book.Covers(k, time.Time{}) {
			b.Fatal()
		}
	}
}
