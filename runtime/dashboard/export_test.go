package dashboard

import "time"

// Wait lets pages wait longer for the broker, which a busy machine makes slow: for tests of
// what whole pages say.
func (d *Dashboard) Wait(patience time.Duration) { d.patience = patience }
