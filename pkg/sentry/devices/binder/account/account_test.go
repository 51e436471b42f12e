// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package account

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/sync"
)

func TestLimit(t *testing.T) {
	a := New(100)
	require.NoError(t, a.Charge(60))
	require.Equal(t, error(linuxerr.ENOMEM), a.Charge(41))
	require.Equal(t, int64(60), a.Used(), "a refused charge leaves nothing behind")
	require.NoError(t, a.Charge(40))
	require.Equal(t, error(linuxerr.ENOMEM), a.Charge(1))
	require.NoError(t, a.Charge(0))
	a.Credit(40)
	require.NoError(t, a.Charge(1))
	require.Equal(t, int64(61), a.Used())
}

func TestSetLimit(t *testing.T) {
	a := New(math.MaxInt64)
	require.NoError(t, a.Charge(1000))
	a.SetLimit(10)
	require.Equal(t, int64(1000), a.Used())
	require.Error(t, a.Charge(1))
	a.Credit(995)
	require.NoError(t, a.Charge(5))
	require.Error(t, a.Charge(1))
}

// Concurrent charges never exceed the limit together, and use all of it.
func TestConcurrent(t *testing.T) {
	const limit, goroutines, tries = 1000, 8, 500
	a := New(limit)
	var wg sync.WaitGroup
	charged := make([]int64, goroutines)
	for i := range goroutines {
		wg.Go(func() {
			for range tries {
				if a.Charge(3) == nil {
					charged[i] += 3
				}
				if used := a.Used(); used > limit {
					t.Errorf("%d bytes are charged", used)
				}
			}
		})
	}
	wg.Wait()
	sum := int64(0)
	for _, n := range charged {
		sum += n
	}
	require.Equal(t, int64(limit/3*3), sum)
	require.Equal(t, sum, a.Used())
	a.Credit(sum)
	require.Zero(t, a.Used())
}
