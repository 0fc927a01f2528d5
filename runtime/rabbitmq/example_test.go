package rabbitmq_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// A client of a cluster: it uses any of the nodes, and the next one when that fails.
// The queues of this program begin with "shop.".
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := dtask.Open(ctx, "amqps://shop:"+os.Getenv("PASSWORD")+"@a.internal,b.internal,c.internal/?namespace=shop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
}
