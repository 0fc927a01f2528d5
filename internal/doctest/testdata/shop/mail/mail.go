// Package mail is what the snippets of the pages mean by it.
package mail

import "context"

type User struct{ Name string }

type Mailer struct{ Host string }

// SendWelcome mails the welcome letter.
//
//dtask:task queue=mail retries=5 timeout=30s
func SendWelcome(ctx context.Context, to string, user User) error { return nil }

//dtask:task queue=mail
func (m *Mailer) SendDigest(ctx context.Context, userID int64) (Receipt, error) {
	return Receipt{}, nil
}

//dtask:task queue=mail
//dtask:cron 0 3 * * *
func PurgeBounces(ctx context.Context) error { return nil }

//dtask:task keep=1h
func CountWords(ctx context.Context, text string) (int, error) { return 0, nil }

type Receipt struct{ ID string }
