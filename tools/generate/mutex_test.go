// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMutexes(t *testing.T) {
	code, err := mutexes(write(t, "p.go", `package p

type ownMutex struct{}

type a struct {
	mu    aMutex
	other struct{ mu bMutex }
	own   ownMutex
	std   sync.Mutex
}

type b struct{ mu bMutex }
`), true)
	require.NoError(t, err)
	for name, n := range map[string]int{"aMutex": 1, "bMutex": 1, "ownMutex": 0, "sync.Mutex": 0} {
		require.Equal(t, n, strings.Count(string(code), "type "+name+" struct"), name)
	}
	require.NotContains(t, string(code), "NestedLock")
	require.Contains(t, string(code), "locking.AddGLock(aMutexClass, -1)")

	code, err = mutexes(write(t, "p.go", "package p\n\ntype a struct{ mu aMutex }\n\nfunc (x *a) f(y *a) { y.mu.NestedLock() }\n"), true)
	require.NoError(t, err)
	require.Contains(t, string(code), "func (m *aMutex) NestedLock()")

	code, err = mutexes(write(t, "p.go", "package p\n\ntype a struct{ mu sync.Mutex }\n"), true)
	require.NoError(t, err)
	require.Empty(t, code)
}
