# The two commands a contributor needs: make test, make lint.

# Go needs a home for its caches.
ifeq ($(HOME),)
export HOME := $(shell getent passwd $$(id -u) | cut -d: -f6)
endif

tool = go tool -modfile=internal/tools/go.mod

.PHONY: test lint check chaos

# All tests, with a private RabbitMQ; a test that would be skipped fails. Most of
# them wait most of the time, so in a package more run at a time than there are
# cores. What go test vets, make lint vets too.
test:
	DTASK_TEST_SKIP_NONE=1 go run ./internal/testenv -- go test -race -vet=off -timeout 20m -parallel 4 ./...

# The long form of the tests that kill, cut off and starve, see
# docs/reliability.md. A quarter of an hour.
chaos:
	DTASK_CHAOS=long DTASK_TEST_SKIP_NONE=1 go run ./internal/testenv -- go test -count=1 -timeout=90m -parallel=4 -v ./internal/chaos
	DTASK_CHAOS=long go run ./internal/testenv -- go test -count=1 -timeout=30m -v -run 'TestNodes/Cluster' ./runtime/rabbitmq

lint:
	go vet ./...
	$(tool) staticcheck ./...
	@out=$$($(tool) gofumpt -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted; run: $(tool) gofumpt -w ."; echo "$$out"; exit 1; fi

# Generated files are up to date.
check:
	go run ./cmd/dtaskgen -check ./...
