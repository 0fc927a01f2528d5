package main

import (
	"fmt"
	"os"
)

// Example runs the program in an empty directory.
func Example() {
	dir, err := os.MkdirTemp("", "transactions")
	if err != nil {
		fmt.Println(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
	}
	main()
	// Output:
	// rolled back: no moon in stock
	// receipt for order 1 <nil>
	// 1 task was run
}
