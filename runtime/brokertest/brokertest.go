// Package brokertest holds what every [broker.Broker] must do, as tests. A
// broker's own tests call [Run]:
//
//	func TestMain(m *testing.M) { brokertest.Main(m) }
//
//	func TestConformance(t *testing.T) {
//		brokertest.Run(t, func(t *testing.T) string {
//			return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
//		})
//	}
//
// The rest of the package is for further tests of brokers.
package brokertest

import (
	"reflect"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Store makes a new, empty store, and returns its URL. Every process can open the
// store with [broker.Open] under that URL. The store is removed when t ends.
type Store func(t *testing.T) (url string)

// A test is one of the suite. It makes stores of its own.
type test struct {
	name string
	run  func(*testing.T, Store)
}

// Run runs the suite: what every broker must do, and what a broker must do that has
// a capability. The log names the capabilities that the broker does not have. Most of
// it runs beside other tests of the package that are parallel.
func Run(t *testing.T, store Store) {
	// It counts what the process has open: nothing else may run.
	t.Run("Cycles", func(t *testing.T) { testCycles(t, store) })
	t.Parallel()

	b := openURL(t, store(t))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	runPart[broker.Admin](t, b, store, adminTests)
	runPart[broker.Broker](t, b, store, brokerTests)
	runPart[broker.Counter](t, b, store, counterTests)
	runPart[broker.Lister](t, b, store, listerTests)
	runPart[broker.Editor](t, b, store, editorTests)
	runPart[broker.Peeker](t, b, store, peekerTests)
	runPart[broker.Canceller](t, b, store, cancellerTests)
	runPart[broker.Pauser](t, b, store, pauserTests)
	runPart[broker.Commander](t, b, store, commanderTests)
	runPart[broker.ResultStore](t, b, store, resultStoreTests)
	runPart[broker.TickStore](t, b, store, tickStoreTests)
	runPart[broker.Overseer](t, b, store, overseerTests)
	runPart[broker.Registry](t, b, store, registryTests)
	runPart[broker.Censor](t, b, store, censorTests)
	runPart[broker.Keeper](t, b, store, keeperTests)
	runPart[broker.Journal](t, b, store, journalTests)
	runPart[broker.Deduplicator](t, b, store, deduplicatorTests)
	runPart[broker.Identified](t, b, store, identifiedTests)
	runPart[broker.Transactor](t, b, store, transactorTests)
}

// runPart runs the tests of a capability. Most of their time they wait, so they
// do it side by side.
func runPart[Capability any](t *testing.T, b broker.Broker, store Store, tests []test) {
	t.Run(reflect.TypeFor[Capability]().Name(), func(t *testing.T) {
		t.Parallel()
		if _, err := broker.As[Capability](b); err != nil {
			t.Log(err)
			return
		}
		for _, c := range tests {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, store)
			})
		}
	})
}

// brokerTests need nothing but [broker.Broker].
var brokerTests = []test{
	{"RoundTrip", testRoundTrip},
	{"ForeignMinimum", testMinimalMessage},
	{"Durable", testDurable},
	{"QueuesAreSeparate", testQueuesAreSeparate},
	{"NotBefore", testNotBefore},
	{"EnqueueMany", testEnqueueMany},
	{"ExactlyOnceWithoutFaults", testExactlyOnce},
	{"EnqueueCancelled", testEnqueueCancelled},
	{"IgnoreDuplicateUnsupported", testIgnoreDuplicateUnsupported},
	{"EnqueueInForeignTransaction", testForeignTransaction},
	{"Ways", testWays(enqueueWay, enqueueManyWay, thenWay)},
	{"Closed", testClosed},
	{"Done", testDone},
	{"SettleTwice", testSettleTwice},
	{"Requeue", testRequeue},
	{"RequeueLater", testRequeueLater},
	{"Then", testThen},
	{"ThenFields", testThenFields},
	{"ThenChains", testThenChains},
	{"ThenTooLate", testThenTooLate},
	{"ThenAgain", testThenAgain},
	{"StopHandsBack", testStopHandsBack},
	{"CloseGivesUp", testCloseGivesUp},
	{"Unrecorded", testUnrecorded},
	{"Priorities", testPriorities},
	{"ModulesOnOneQueue", testModulesOnOneQueue},
	{"ModulesWithNamespaces", testModulesWithNamespaces},
}

// adminTests look into queues, some of them to see what a worker makes of them. The
// first one takes longest.
var adminTests = []test{
	{"WorkerPoisons", testWorkerPoisons},
	{"Dead", testDead},
	{"RetryDead", testRetryDead},
	{"Ways", testWays(retryDeadWay)},
	{"DeleteDead", testDeleteDead},
	{"Purge", testPurge},
	{"QueueStates", testQueueStates},
	{"Closed", testAdminClosed},
	{"WorkerOutcomes", testWorkerOutcomes},
	{"WorkerUnknown", testWorkerUnknown},
	{"WorkerEarlier", testWorkerEarlier},
	{"WorkerLogs", testWorkerLogs},
	{"WorkerStop", testWorkerStop},
	{"WorkerKilled", testWorkerKilled},
	{"WorkerPoison", testWorkerPoison},
	{"RetryDeadFailing", testRetryDeadFailing},
	{"PurgeUnderLoad", testPurgeUnderLoad},
}

// counterTests and editorTests need a [broker.Lister] and a [broker.Admin], too.
var counterTests = []test{
	{"Counts", testCounts},
}

var listerTests = []test{
	{"List", testList},
	{"Stored", testStored},
}

var editorTests = []test{
	{"Edit", testEdit},
	{"Move", testMove},
	{"Delete", testDelete},
	{"Retry", testRetry},
	{"TwoOperators", testTwoOperators},
}

var peekerTests = []test{
	{"Peek", testPeek},
	{"PeekBesideWorkers", testPeekBesideWorkers},
}

// cancellerTests need a [broker.ResultStore], too.
var cancellerTests = []test{
	{"Waiting", testCancelWaiting},
	{"Running", testCancelRunning},
	{"Killed", testCancelKilled},
	{"Retried", testCancelRetried},
}

// pauserTests need a [broker.Admin], too.
var pauserTests = []test{
	{"Queue", testPause},
	{"Until", testPauseUntil},
	{"Task", testPauseTask},
	{"Pauses", testPauses},
}

var commanderTests = []test{
	{"Orders", testOrders},
}

var resultStoreTests = []test{
	{"Results", testResults},
	{"ResultsOfWrongClock", testResultsOfWrongClock},
	{"ThenKeep", testThenKeep},
	{"ThenInvalid", testThenInvalid},
}

var tickStoreTests = []test{
	{"Schedule", testSchedule},
	{"ScheduleReset", testScheduleReset},
	{"ScheduleContended", testScheduleContended},
	{"ModulesPeriodic", testModulesPeriodic},
	{"Ways", testWays(tickWay)},
}

var overseerTests = []test{
	{"Orphans", testOrphans},
}

var registryTests = []test{
	{"Processes", testRegistry},
}

var censorTests = []test{
	{"Census", testCensus},
}

// keeperTests need a [broker.ResultStore] and a [broker.TickStore], too.
var keeperTests = []test{
	{"Keeper", testKeeper},
}

var journalTests = []test{
	{"Tallies", testTallies},
	{"Acts", testActs},
}

var deduplicatorTests = []test{
	{"IgnoreDuplicate", testIgnoreDuplicate},
}

var transactorTests = []test{
	{"ForeignTransaction", testTransactorForeign},
}
