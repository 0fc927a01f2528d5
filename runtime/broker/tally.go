package broker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/fault"
)

// Bounds on a [Tally].
const (
	MaxTallyFailures = 5
	MaxTallyError    = 200 // bytes
)

// A Tally is what became in one minute of the messages of a task on a queue. The
// journal knows the tasks that its processes have; what they see of others is counted
// under one name, which the process chooses.
type Tally struct {
	Minute time.Time `json:"minute"` // its beginning
	Queue  string    `json:"queue"`
	Task   string    `json:"task"`

	Done       int64 `json:"done,omitempty"`
	Retried    int64 `json:"retried,omitempty"`
	Dead       int64 `json:"dead,omitempty"`
	Snoozed    int64 `json:"snoozed,omitempty"`
	HandedBack int64 `json:"handed_back,omitempty"`
	Cancelled  int64 `json:"cancelled,omitempty"`

	// Waited is how long messages were due before they were started, and Ran how
	// long they took. Those that were handed back are not among them.
	Waited Histogram `json:"waited"`
	Ran    Histogram `json:"ran"`

	// Failures are the failures of one kind each, the newest ones, newest first;
	// they are those of messages that were retried, or are dead. OtherFailures is how
	// many more there were.
	Failures      []TallyFailure `json:"failures,omitempty"`
	OtherFailures int64          `json:"other_failures,omitempty"`
}

// A TallyFailure is a kind of failure: those whose errors differ in nothing but what is of
// one message, such as ids and numbers.
type TallyFailure struct {
	Kind     string    `json:"kind"` // one of the Failure… constants
	Messages int64     `json:"messages"`
	At       time.Time `json:"at"`    // of the newest
	ID       string    `json:"id"`    // of its message
	Error    string    `json:"error"` // cut
}

// Compare orders tallies by minute, queue and task.
func (t *Tally) Compare(u *Tally) int {
	return cmp.Or(t.Minute.Compare(u.Minute), cmp.Compare(t.Queue, u.Queue), cmp.Compare(t.Task, u.Task))
}

// Messages returns how many messages were counted.
func (t *Tally) Messages() int64 {
	return t.Done + t.Retried + t.Dead + t.Snoozed + t.HandedBack + t.Cancelled
}

// Add adds what another tally has counted.
func (t *Tally) Add(u *Tally) {
	t.Done += u.Done
	t.Retried += u.Retried
	t.Dead += u.Dead
	t.Snoozed += u.Snoozed
	t.HandedBack += u.HandedBack
	t.Cancelled += u.Cancelled
	t.Waited.add(&u.Waited)
	t.Ran.add(&u.Ran)
	t.OtherFailures += u.OtherFailures
	for _, f := range u.Failures {
		t.AddFailure(f)
	}
}

// AddFailure adds failures of one kind. Of more kinds than a tally has the newest
// ones stay, and the others are only counted.
func (t *Tally) AddFailure(f TallyFailure) {
	f.Error = clip(f.Error, MaxTallyError)
	if i := slices.IndexFunc(t.Failures, f.Alike); i >= 0 {
		old := t.Failures[i]
		t.Failures = slices.Delete(t.Failures, i, i+1)
		messages := old.Messages + f.Messages
		if old.At.After(f.At) {
			f = old
		}
		f.Messages = messages
	}
	at := slices.IndexFunc(t.Failures, func(other TallyFailure) bool { return !other.At.After(f.At) })
	if at < 0 {
		at = len(t.Failures)
	}
	t.Failures = slices.Insert(t.Failures, at, f)
	if last := len(t.Failures) - 1; last == MaxTallyFailures {
		t.OtherFailures += t.Failures[last].Messages
		t.Failures = t.Failures[:last]
	}
}

// Alike reports whether two failures are of one kind.
func (f TallyFailure) Alike(other TallyFailure) bool {
	return f.Kind == other.Kind && (f.Error == other.Error || fault.Pattern(f.Error) == fault.Pattern(other.Error))
}

// clip returns the first n bytes of a text, without a part of a character at the end.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}
