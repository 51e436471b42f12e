// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build lockdep

package binder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// objection returns lockdep's objection to f. f runs in a new goroutine, since one that has
// panicked is of no more use.
func objection(f func()) string {
	said := make(chan string)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				said <- fmt.Sprint(r)
			}
			close(said)
		}()
		f()
	}()
	return <-said
}

// TestLockOrder checks that a wrong lock order is noticed.
//
// +checklocksignore
func TestLockOrder(t *testing.T) {
	require.Empty(t, objection(func() {
		new(Process).refsMu.Lock()
		new(Process).mu.Lock()
	}))
	require.Contains(t, objection(func() {
		new(Process).mu.Lock()
		new(Process).mu.Lock()
	}), "nested locking: binder.processMutex")
	require.Contains(t, objection(func() {
		new(Process).mu.Lock()
		new(Process).refsMu.Lock()
	}), "circular locking detected: binder.processMutex -> binder.processRefsMutex")
}
