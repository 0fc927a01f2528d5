package dtask

import (
	"context"
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"
)

// A keptResult is a result as brokers keep it.
type keptResult struct {
	Schema string         `json:"schema,omitzero"` // its fingerprint
	Value  jsontext.Value `json:"value"`
}

// keepResult returns a result, in JSON, as brokers keep it.
func keepResult(spec *Spec, value []byte) []byte {
	if value == nil {
		return nil
	}
	kept, err := jsonv2.Marshal(keptResult{spec.Result, value}, json.DefaultOptionsV1())
	if err != nil {
		return value // it is no JSON, which Wait will say
	}
	return kept
}

// decodeResult decodes what a broker has kept. As with arguments, what is known of
// its fingerprint decides whether it can be.
func decodeResult(ctx context.Context, spec *Spec, kept []byte, result any) error {
	var k keptResult
	if err := json.Unmarshal(kept, &k); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	if spec == nil || k.Schema == spec.Result { // nil: of a handle that knows no task
		if err := json.Unmarshal(k.Value, result); err != nil {
			return fmt.Errorf("it does not decode: %w", err)
		}
		return nil
	}
	if err := judgeResult(spec, k.Schema); err != nil {
		return err
	}
	return decodeKnown(ctx, k.Value, result)
}

// judgeResult says why results with a fingerprint are not read, or returns nil.
func judgeResult(spec *Spec, schema string) error {
	i := slices.IndexFunc(spec.EarlierResults, func(e Earlier) bool { return e.Schema == schema })
	switch {
	case schema == spec.Result:
	case i < 0:
		return fmt.Errorf("it has the schema %s, which this build does not know, as that is newer, or not in dtask.lock", clip(schema))
	case spec.EarlierResults[i].Refused != "":
		return fmt.Errorf("this build cannot read it: %s", spec.EarlierResults[i].Refused)
	}
	return nil
}
