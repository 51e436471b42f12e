// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package pool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReuse: a Get after a Put doesn't allocate.
func TestReuse(t *testing.T) {
	var p Pool[object]
	require.Zero(t, testing.AllocsPerRun(1000, func() { p.Put(p.Get()) }))
}
