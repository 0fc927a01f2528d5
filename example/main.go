// The example is a small web application that moves its heavy work out of the
// request. Run
//
//	go run ./example
//
// and open the address that it prints. Its code is in package web. Beside it are
// smaller programs: hello, cron and transactions.
package main

import "github.com/dtaskhq/dtask/example/web"

func main() { web.Main() }
