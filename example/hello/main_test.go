package main

import (
	"fmt"
	"os"
)

// Example runs the program in an empty directory.
func Example() {
	dir, err := os.MkdirTemp("", "hello")
	if err != nil {
		fmt.Println(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
	}
	main()
	// Output:
	// Hello, gopher! <nil>
	// stopped: <nil> <nil>
}
