// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build lockdep

package binder

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// objection returns what lockdep says of f, which runs in a goroutine of its own: that
// of one which has panicked has no use any more.
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

// TestLockOrder tests that a wrong order of locks doesn't go unnoticed.
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
