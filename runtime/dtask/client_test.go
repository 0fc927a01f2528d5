package dtask_test

import (
	"log/slog"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A program may set its default logger after it has opened its client.
func TestLogger(t *testing.T) {
	own, before := slog.New(slog.DiscardHandler), slog.Default()
	plain, with := dtask.NewClient(nil), dtask.NewClient(nil, dtask.WithLogger(own))
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	if plain.Logger() != slog.Default() {
		t.Error("the default logger is the one that there was when the client was made")
	}
	if with.Logger() != own || with.With().Logger() != own {
		t.Error("a client has another logger than it was given")
	}
}
