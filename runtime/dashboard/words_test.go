package dashboard

import (
	"testing"
	"time"
)

// Numbers are written as the design has it.
func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		number(0): "0", number(999): "999", number(12431): "12,431", number(1204331): "1,204,331", number(-1): "not known",
		plural(1, "worker"): "1 worker", plural(0, "worker"): "0 workers",
		percent(0, 0): "0 %", percent(39, 1000): "3.9 %", percent(1, 100_000): "< 0.1 %", percent(1, 2): "50 %", percent(999, 1000): "99.9 %", percent(5, 5): "100 %",
		took(84 * time.Millisecond): "84 ms", took(400 * time.Microsecond): "0.4 ms", took(1999 * time.Millisecond): "1.9 s", took(30 * time.Second): "30 s",
		took(100 * time.Second): "1 min 40 s", took(time.Hour): "1 h", took(401 * time.Second): "6 min 41 s",
		ago(100 * time.Millisecond): "0.1 s", ago(12 * time.Second): "12 s", ago(14 * time.Minute): "14 min", ago(36 * time.Hour): "36 h",
		ago(52 * time.Hour): "2 d 4 h", ago(21 * 24 * time.Hour): "21 d", ago(-time.Second): "0.0 s",
		cronWords("0 7 * * 1"): "every Monday at 07:00", cronWords("*/5 * * * *"): "every 5 minutes", cronWords("15 * * * *"): "every hour at :15",
		cronWords("30 6 1 * *"): "at 06:30 on the 1st of a month", cronWords("30 6 22 * *"): "at 06:30 on the 22nd of a month", cronWords("0 3 * * *"): "every day at 03:00",
		cronWords("0 9 * * 1-5"): "every weekday at 09:00", cronWords("0 */6 * * *"): "every 6 hours at :00", cronWords("@daily"): "every day at 00:00",
		tail("019ab3f0-5c1e-7c41-9c41-7d02b6f3e8aa"): "…7d02b6f3e8aa", share(90, 100): "9 of 10", share(120, 121): "9 of 10", share(2, 3): "2 of 3",
		listed([]string{"a", "b", "c"}): "a, b and c", listed([]string{"a", "b", "c", "d"}): "a, b and 2 others",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for cron, want := range map[string]string{"0 7 1-3 * 1": "", "1,2 * * * *": "", "0 0 1 1 *": ""} {
		if got := cronWords(cron); got != want {
			t.Errorf("%s: %q", cron, got)
		}
	}
}
