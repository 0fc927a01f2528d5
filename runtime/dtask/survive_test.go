package dtask

import (
	"errors"
	"math/big"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// nullable is like uuid.NullUUID: its JSON is null if it is not valid.
type nullable struct {
	Text  string
	Valid bool
}

func (n nullable) MarshalJSON() ([]byte, error) {
	if !n.Valid {
		return []byte("null"), nil
	}
	return []byte(`"` + n.Text + `"`), nil
}

func (n *nullable) UnmarshalJSON(b []byte) error {
	*n = nullable{strings.Trim(string(b), `"`), string(b) != "null"}
	return nil
}

type stamp struct{ time.Time }

type oneWay struct{ s string }

func (o oneWay) MarshalText() ([]byte, error) { return []byte(o.s), nil }
func (o *oneWay) UnmarshalText(b []byte) error {
	if strings.HasPrefix(string(b), "bad") {
		return errors.New("bad")
	}
	o.s = strings.ToUpper(string(b))
	return nil
}

type valueArgs struct {
	Text    string                  `json:"text"`
	ByText  map[string]int          `json:"by_text"`
	ByTime  map[time.Time]int       `json:"by_time"`
	ByNet   map[netip.Prefix]string `json:"by_net"`
	ByWay   map[oneWay]int          `json:"by_way"`
	ByStamp map[stamp]int           `json:"by_stamp"`
	Null    *nullable               `json:"null"`
	Nulls   []*nullable             `json:"nulls"`
	Plain   nullable                `json:"plain"`
	At      time.Time               `json:"at"`
	Stamps  []stamp                 `json:"stamps"`
	Address netip.AddrPort          `json:"address"`
	Net     netip.Prefix            `json:"net"`
	Maybe   netip.Prefix            `json:"maybe,omitzero"`
	Pattern *regexp.Regexp          `json:"pattern"`
	Way     oneWay                  `json:"way"`
	Big     *big.Int                `json:"big"`
	Next    *valueArgs              `json:"next"`
	Left    *oneWay                 `json:"-"`
}

// What types cannot tell, Delay and the results refuse: each of these values would
// come back as another one.
func TestRefusesWhatDoesNotComeBack(t *testing.T) {
	sunTime := time.FixedZone("LMT", 53*60+28)
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := time.Now()
	longest := regexp.MustCompile("a|ab")
	longest.Longest()
	badNet := netip.PrefixFrom(netip.MustParseAddr("10.0.0.1"), 99)
	for name, c := range map[string]struct {
		args valueArgs
		want string
	}{
		"text":                    {valueArgs{Text: "a\xffb"}, "not valid UTF-8; pass binary data as []byte"},
		"key of a map":            {valueArgs{ByText: map[string]int{"a\xff": 1}}, "UTF-8"},
		"two invalid keys":        {valueArgs{ByText: map[string]int{"\xff": 1, "\xfe": 2}}, "UTF-8"},
		"keys with one text":      {valueArgs{ByTime: map[time.Time]int{day: 1, day.In(time.FixedZone("UTC", 0)): 2}}, "two keys of a map have the same text"},
		"keys of one clock":       {valueArgs{ByTime: map[time.Time]int{now: 1, now.Round(0): 2}}, "two keys of a map have the same text"},
		"keys that become one":    {valueArgs{ByWay: map[oneWay]int{{"Big"}: 1, {"BIG"}: 2}}, "its text is \"Big\", which comes back as another value"},
		"key that becomes other":  {valueArgs{ByWay: map[oneWay]int{{"small"}: 1}}, "its text is \"small\", which comes back as another value"},
		"null of a pointer":       {valueArgs{Null: &nullable{}}, "null (dtask.nullable): its pointer is not nil, but its JSON is null"},
		"null in a slice":         {valueArgs{Nulls: []*nullable{nil, {"a", true}, {}}}, "nulls[2] "},
		"null further in":         {valueArgs{Next: &valueArgs{Next: &valueArgs{Null: &nullable{}}}}, "next.next.null "},
		"offset":                  {valueArgs{At: day.In(sunTime)}, "at (time.Time): the offset of its zone has seconds"},
		"offset in a key":         {valueArgs{ByTime: map[time.Time]int{day.In(sunTime): 1}}, "the offset of its zone has seconds"},
		"offset of an older zone": {valueArgs{Stamps: []stamp{{day.In(time.FixedZone("", -17*3600-1))}}}, "stamps[0] "},
		"offset in another key":   {valueArgs{ByStamp: map[stamp]int{{day.In(sunTime)}: 1}}, "comes back as another value"},
		"offset of an embedded":   {valueArgs{Stamps: []stamp{{day}, {day.In(sunTime)}}}, "stamps[1] (dtask.stamp): its JSON is"},
		"prefix":                  {valueArgs{Net: badNet}, "net (netip.Prefix): its JSON is"},
		"prefix in a key":         {valueArgs{ByNet: map[netip.Prefix]string{badNet: ""}}, "which does not decode"},
		"address":                 {valueArgs{Address: netip.AddrPortFrom(netip.Addr{}, 80)}, "address (netip.AddrPort): its JSON is"},
		"longest match":           {valueArgs{Pattern: longest}, "pattern (regexp.Regexp): its JSON is"},
		"POSIX":                   {valueArgs{Pattern: regexp.MustCompilePOSIX("a|ab")}, "pattern (regexp.Regexp): its JSON is"},
		"text that is refused":    {valueArgs{Way: oneWay{"bad"}}, "way (dtask.oneWay): its JSON is \"bad\", which does not decode"},
		"text that becomes other": {valueArgs{Way: oneWay{"small"}}, "comes back as another value"},
	} {
		if _, err := encode(&c.args); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if _, err := encodeResult(&c.args); err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, new(*permanentError)) {
			t.Errorf("%s as a result: error %v, want a permanent one, %q", name, err, c.want)
		}
	}
}

func TestAcceptsWhatComesBack(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -90*60))
	for name, args := range map[string]valueArgs{
		"zero": {},
		"all": {
			Text: "ü\u2028", ByText: map[string]int{"": 1, "ü": 2}, ByTime: map[time.Time]int{day: 1, day.Add(1): 2, time.Now(): 3},
			ByNet: map[netip.Prefix]string{netip.MustParsePrefix("10.0.0.0/8"): "a", {}: "none"},
			ByWay: map[oneWay]int{{"BIG"}: 1, {"BIGGER"}: 2}, ByStamp: map[stamp]int{{day}: 1, {time.Now()}: 2},
			Null: &nullable{"a", true}, Nulls: []*nullable{nil}, Plain: nullable{}, At: time.Now(), Stamps: []stamp{{day}, {time.Now()}},
			Net: netip.MustParsePrefix("::/0"), Pattern: regexp.MustCompile("(?i)a|ab"), Way: oneWay{"BIG"},
			Big: big.NewInt(-1 << 62), Next: &valueArgs{}, Left: &oneWay{"bad"},
		},
	} {
		if _, err := encode(&args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
