package results

import (
	"context"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/stream"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A reader reads the records of a stream from a place on.
type reader struct{ messages *stream.Reader }

func read(ctx context.Context, conn *wire.Conn, name string, from stream.Place, prefetch int) (*reader, error) {
	messages, err := stream.Read(ctx, conn, name, from, prefetch)
	return &reader{messages}, err
}

// next returns the next record.
func (r *reader) next(ctx context.Context) (*record, error) {
	d, err := r.messages.Next(ctx)
	if err != nil {
		return nil, err
	}
	return decode(d), nil
}

func (r *reader) close() { r.messages.Close() }
