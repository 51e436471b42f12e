// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestCgroupVersion(t *testing.T) {
	e := New(nil)
	flags, err := e.Flags(&specs.Spec{})
	require.NoError(t, err)
	require.Empty(t, flags)
	for value, want := range map[string]string{"v1": "v1", "v2": "hybrid"} {
		flags, err := e.Flags(specWith(cgroupVersion.key, value))
		require.NoError(t, err)
		require.Equal(t, map[string]string{"in-sandbox-cgroup": want}, flags)
	}
	for _, value := range []string{"", "2", "V2", "hybrid"} {
		_, err := e.Flags(specWith(cgroupVersion.key, value))
		require.ErrorContains(t, err, "dev.sentrybinder.cgroup=")
	}
}
