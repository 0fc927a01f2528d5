// Package machinery is the task of docs/coming-from.md in machinery.
package machinery

import (
	"fmt"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/tasks"
)

func Welcome(to string) error {
	fmt.Println("welcome,", to)
	return nil
}

func Worker(server *machinery.Server) error {
	if err := server.RegisterTask("welcome", Welcome); err != nil {
		return err
	}
	return server.NewWorker("worker-1", 10).Launch()
}

func Delay(server *machinery.Server, to string) error {
	_, err := server.SendTask(&tasks.Signature{
		Name:       "welcome",
		RetryCount: 5,
		Args:       []tasks.Arg{{Type: "string", Value: to}},
	})
	return err
}
