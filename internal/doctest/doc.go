// Package doctest has the tests that keep the pages true, README.md and those of
// docs and example:
//
//   - every Go snippet compiles (snippets_test.go);
//   - the pages that take a reader by the hand are done, command by command, and
//     what they show is what comes (walk_test.go);
//   - every other command is run by a test that is named (commands_test.go);
//   - every link and anchor resolves (links_test.go).
package doctest
