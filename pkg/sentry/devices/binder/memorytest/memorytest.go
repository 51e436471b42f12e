// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package memorytest provides application memory to tests that run outside a sandbox.
package memorytest

import (
	"os"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/memutil"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sync"
)

// Shared returns the MemoryFile of all tests that don't need one of their own.
var Shared = sync.OnceValue(func() *pgalloc.MemoryFile { return New(pgalloc.DelayedEvictionDefault) })

// New returns a MemoryFile that lasts until the test's process ends. It panics if
// the host has no memory for it.
func New(eviction pgalloc.DelayedEvictionType) *pgalloc.MemoryFile {
	fd, err := memutil.CreateMemFD("binder-test", 0)
	if err != nil {
		panic(err)
	}
	mf, err := pgalloc.NewMemoryFile(os.NewFile(uintptr(fd), "binder-test"), pgalloc.MemoryFileOpts{
		DelayedEviction:         eviction,
		DisableIMAWorkAround:    true,
		DisableMemoryAccounting: true,
	})
	if err != nil {
		panic(err)
	}
	return mf
}

// Context returns the context that tests use in place of a task's. Its MemoryFile
// is Shared.
func Context() context.Context {
	return context.WithValue(context.Background(), pgalloc.CtxMemoryFile, Shared())
}
