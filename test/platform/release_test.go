// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel's release is the same everywhere.
func TestRelease(t *testing.T) {
	var uts unix.Utsname
	require.NoError(t, unix.Uname(&uts))
	release := unix.ByteSliceToString(uts.Release[:])
	require.Regexp(t, `^\d+\.\d+\.\d+`, release)
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	require.Equal(t, release, strings.TrimSuffix(string(text), "\n"))
	text, err = os.ReadFile("/proc/version")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "Linux version "+release+" "), "%q", text)
}
