# The two commands a contributor needs: make test, make lint.

# Go needs a home for its caches.
ifeq ($(HOME),)
export HOME := $(shell getent passwd $$(id -u) | cut -d: -f6)
endif

tool = go tool -modfile=internal/tools/go.mod

.PHONY: test lint check chaos

# All tests, with private servers; a test that would be skipped fails. What users run
# in their programs is tested with the race detector, which takes most of the time;
# the others mostly start programs. Most tests wait most of the time, so in a package
# more run at a time than there are cores. What go test vets, make lint vets too.
# Without GORACE every process that ends would sleep for a second.
test:
	DTASK_TEST_SKIP_NONE=1 go run ./internal/testenv -- \
		go test -vet=off -timeout 20m -parallel 4 ./internal/chaos $$(go list ./... | grep -v /runtime/)
	GORACE=atexit_sleep_ms=0 DTASK_TEST_SKIP_NONE=1 go run ./internal/testenv -- \
		go test -race -vet=off -timeout 20m -p 3 -parallel 4 ./runtime/rabbitmq ./runtime/...

# The long form of the tests that kill, cut off and starve, see
# docs/reliability.md. About an hour.
chaos:
	DTASK_CHAOS=long DTASK_TEST_SKIP_NONE=1 go run ./internal/testenv -- go test -count=1 -timeout=90m -parallel=4 -v ./internal/chaos
	DTASK_CHAOS=long go run ./internal/testenv -- go test -count=1 -timeout=30m -v -run 'TestCluster|TestRetryAll|TestLevelStandsStill' ./runtime/rabbitmq
	DTASK_CHAOS=long go run ./internal/testenv -- go test -count=1 -timeout=30m -v -run 'Conformance/.*/WorkerPoisons' ./runtime/sqlite ./runtime/rabbitmq ./runtime/postgres

lint:
	go vet ./...
	$(tool) staticcheck ./...
	@out=$$($(tool) gofumpt -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted; run: $(tool) gofumpt -w ."; echo "$$out"; exit 1; fi

# Generated files are up to date.
check:
	go run ./cmd/dtaskgen -check ./...
