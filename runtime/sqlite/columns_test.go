package sqlite

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Every field of a message has a column.
func TestColumnsHoldAll(t *testing.T) {
	m := &broker.Message{
		ID: "i", Task: "t", Queue: "q", Body: []byte("{}"), Schema: "s", Priority: broker.PriorityHigh,
		Attempt: 2, Attempts: 3, EnqueuedAt: time.UnixMilli(1e12), NotBefore: time.UnixMilli(2e12), Expires: time.UnixMilli(3e12),
		Keep: time.Minute, Headers: map[string]string{"h": "v"}, Failures: []broker.Failure{{Attempt: 1, Error: "e"}},
		HandedBack: 4, HandedBackSince: time.UnixMilli(4e12),
	}
	for i := range reflect.TypeFor[broker.Message]().NumField() {
		if reflect.ValueOf(*m).Field(i).IsZero() {
			t.Fatalf("field %s: give it a value here, and a column", reflect.TypeFor[broker.Message]().Field(i).Name)
		}
	}
	r, err := newRecord(m, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got broker.Message
	if err := readMessage(&got, r[:]); err != nil || !reflect.DeepEqual(&got, m) {
		t.Errorf("read\n%+v, %v, want\n%+v", got, err, m)
	}
}

// The rare columns are the last ones, and no column that must have a value is
// written without: the row would be ignored like a duplicate.
func TestColumns(t *testing.T) {
	if !slices.IsSortedFunc(columns[:], func(a, b column) int {
		return map[bool]int{true: 1}[a.use == rare] - map[bool]int{true: 1}[b.use == rare]
	}) {
		t.Error("a rare column is before one that is not")
	}
	for i, c := range columns {
		if nothing[i] == nil && strings.Contains(c.sql, "NOT NULL") {
			t.Errorf("column %s is written as NULL", c.name)
		}
	}
}
