package spelling

import "testing"

func TestNearest(t *testing.T) {
	tasks := []string{"mail.SendDigest", "mail.SendWelcome", "mail.Purge"}
	for got, want := range map[string]string{
		"mail.SendWelcme":  "mail.SendWelcome",
		"SendWelcome":      "mail.SendWelcome",
		"mail.Pruge":       "mail.Purge",
		"mail.purge":       "mail.Purge",
		"pictures.Rotate":  "",
		"x":                "",
		"":                 "",
		"mail.SendWelcome": "mail.SendWelcome",
	} {
		if near := Nearest(got, tasks); near != want {
			t.Errorf("Nearest(%q) = %q, want %q", got, near, want)
		}
	}
}
