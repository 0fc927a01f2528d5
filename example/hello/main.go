// Hello is the smallest complete program with dtask: it enqueues a task, runs
// it, and prints its result.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

//go:generate go tool dtaskgen

//dtask:task keep=1h
func Greet(name string) (string, error) {
	return "Hello, " + name + "!", nil
}

func main() {
	ctx, stop := context.WithCancel(context.Background())
	client, err := dtask.Open(ctx, "sqlite:hello.db")
	if err != nil {
		log.Fatal(err)
	}
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{}, Tasks())
	if err != nil {
		log.Fatal(err)
	}
	stopped := make(chan error)
	go func() { stopped <- worker.Run(ctx) }() // in this process, or in another one

	dtask.SetDefault(client)
	handle, err := DelayGreet(ctx, GreetArgs{Name: "gopher"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(handle.Wait(ctx))
	stop()
	fmt.Println("stopped:", <-stopped, client.Close())
}
