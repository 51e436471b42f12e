// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"runtime/debug"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/log"
	"gvisor.dev/gvisor/pkg/sync"
)

// strict makes a violation panic: in tests and in builds with the race
// detector.
var strict = sync.RaceEnabled || testing.Testing()

// violation reports an operation that breaks a rule of this package. The caller
// leaves every structure intact and refuses the operation.
//
//go:noinline
func violation(what string) {
	if strict {
		panic("list: " + what)
	}
	note(what)
}

// note logs a message and the stack that led to it, at most once a minute. It
// is a variable so that tests can capture messages.
var note = func(what string) {
	logger().Warningf("binder list: %s\n%s", what, stack{})
}

// logger is created on first use, after the program has chosen its log.
var logger = sync.OnceValue(func() log.Logger {
	return log.BasicRateLimitedLogger(time.Minute)
})

// stack formats as the stack of the calling goroutine. It defers that work
// until the message is known to be logged.
type stack struct{}

// String implements fmt.Stringer.String.
func (stack) String() string {
	return string(debug.Stack())
}
