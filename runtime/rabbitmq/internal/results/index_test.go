package results

import (
	"fmt"
	"testing"
	"time"
)

// However much is read, an index holds no more than its bounds, and says what it
// lacks.
func TestIndexBounds(t *testing.T) {
	ix := &index{}
	body := make([]byte, maxBody)
	const records = maxRecords + 2*segmentRecords
	began := time.Now().Unix()
	id := func(i int) string { return fmt.Sprint("id", i) }
	for i := range records {
		rec := &record{offset: int64(i), kind: done, id: id(i), body: body, published: began + int64(i)/1000}
		ix.add(keyOf(rec.id), rec)
	}
	if ix.records > maxRecords || ix.bodies > maxBodies {
		t.Errorf("%d records, %d bytes of bodies, want at most %d and %d", ix.records, ix.bodies, maxRecords, maxBodies)
	}
	if ix.lookUp(keyOf(id(0))).kind != "" || ix.covers(time.Time{}) || ix.covers(time.Unix(began, 0)) {
		t.Error("the oldest records are there, or missed by nobody")
	}
	last, early := ix.lookUp(keyOf(id(records-1))), ix.lookUp(keyOf(id(records-maxRecords/2)))
	if last.record == nil || early.kind != done || early.record != nil || early.offset != records-maxRecords/2 {
		t.Errorf("the last record is %+v, an earlier one %+v", last, early)
	}
	if end := time.Unix(began+records/1000, 0); !ix.covers(end) {
		t.Error("the newest records are not known to be there")
	}
}

// An index that another one is put before knows what both know.
func TestIndexPrepend(t *testing.T) {
	record := func(offset int64, kind kind, nonce string) *record {
		return &record{offset: offset, kind: kind, id: "id", nonce: nonce, expires: time.Now().Add(time.Hour)}
	}
	older, newer := &index{}, &index{since: time.Now()}
	older.add(keyOf("id"), record(5, accepted, "a"))
	older.add(keyOf("id"), record(6, done, ""))
	newer.add(keyOf("id"), record(7, accepted, "a"))
	if e := newer.lookUp(keyOf("id")); e.kind != accepted {
		t.Errorf("alone it knows %+v", e)
	}
	newer.prepend(older)
	if e := newer.lookUp(keyOf("id")); e.kind != done || e.offset != 6 || newer.first() != 5 || !newer.covers(time.Time{}) {
		t.Errorf("together they know %+v, from %d on", e, newer.first())
	}
}
