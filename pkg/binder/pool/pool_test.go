// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type object struct {
	n    uint64
	next *object
	any  any
}

// TestZero: an object from a pool is as good as new.
func TestZero(t *testing.T) {
	var p Pool[object]
	for range 100 {
		o := p.Get()
		require.Equal(t, object{}, *o)
		*o = object{1, &object{}, "any"}
		p.Put(o)
	}
}

func BenchmarkPool(b *testing.B) {
	var p Pool[object]
	for b.Loop() {
		p.Put(p.Get())
	}
}
