// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestMemoryLimit(t *testing.T) {
	for total, want := range map[uint64]int64{
		0:         1 << 30,
		64 << 20:  16 << 20,
		200 << 20: 25 << 20,
		1 << 30:   128 << 20,
		64 << 30:  1 << 30,
	} {
		got, err := memoryLimit(&specs.Spec{}, total)
		require.NoError(t, err)
		require.Equal(t, want, got, "of %d", total)
	}

	for value, want := range map[string]int64{"1": 1, "4294967296": 4 << 30, "9223372036854775807": 1<<63 - 1} {
		got, err := memoryLimit(specWith(memory.key, value), 1<<30)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, New(nil).ValidateSpec(specWith(memory.key, value), nil))
	}
	for _, value := range []string{"", "0", "-1", "1M", "1.5", " 1", "9223372036854775808"} {
		_, err := memoryLimit(specWith(memory.key, value), 1<<30)
		require.ErrorContains(t, err, memory.key)
		require.Error(t, New(nil).ValidateSpec(specWith(memory.key, value), nil))
	}
}
