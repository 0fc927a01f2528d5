module github.com/dtaskhq/dtask/bench

go 1.26.0

require github.com/dtaskhq/dtask v0.0.0

require github.com/go-json-experiment/json v1.27.2 // indirect

replace github.com/dtaskhq/dtask => ../
