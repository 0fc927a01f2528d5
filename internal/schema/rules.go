package schema

// A Rule is a kind of change.
type Rule string

// The rules.
const (
	FieldAdded           Rule = "FIELD_ADDED"
	FieldAddedOptional   Rule = "FIELD_ADDED_OPTIONAL"
	FieldRemoved         Rule = "FIELD_REMOVED"
	FieldRemovedOptional Rule = "FIELD_REMOVED_OPTIONAL"
	FieldRenamed         Rule = "FIELD_RENAMED" // and a tag says so
	FieldWidened         Rule = "FIELD_WIDENED"
	FieldNarrowed        Rule = "FIELD_NARROWED"
	FieldMeaning         Rule = "FIELD_MEANING"
	FieldShape           Rule = "FIELD_SHAPE"
	FieldOpaque          Rule = "FIELD_OPAQUE"
)

// A Verdict says what a reader with the new schema does with a value of the old
// one.
type Verdict int

// The verdicts, from the best to the worst.
const (
	Reads   Verdict = iota // it reads every value
	ByValue                // it reads a value that fits, and refuses others
	Refuses                // it refuses every value
)

// Verdict returns the verdict on a change.
func (r Rule) Verdict() Verdict {
	switch r {
	case FieldAddedOptional, FieldRenamed, FieldWidened:
		return Reads
	case FieldRemovedOptional, FieldNarrowed:
		return ByValue
	}
	return Refuses
}

// A Change is a difference between two schemas.
type Change struct {
	Rule Rule
	Text string // in words: user.age: int64 became string

	// Of a field that is new or gone: the path of its struct, its name, and its type.
	In, Name, Type string
}

// Worst returns the worst verdict on changes.
func Worst(changes []Change) Verdict {
	worst := Reads
	for _, c := range changes {
		worst = max(worst, c.Rule.Verdict())
	}
	return worst
}
