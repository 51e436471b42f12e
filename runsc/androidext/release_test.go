// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestKernelRelease(t *testing.T) {
	got, err := kernelRelease.of(&specs.Spec{})
	require.NoError(t, err)
	require.Empty(t, got)
	for value, valid := range map[string]bool{
		"4.19.0-gvisor":                     true,
		"5.10.0":                            true,
		"5.10.0-android13-4-g1234":          true,
		"6.1.0+":                            true,
		"5.10.0-" + strings.Repeat("x", 57): true,
		"5.10.0-" + strings.Repeat("x", 58): false,
		"":                                  false,
		"5.10":                              false,
		"5.10.":                             false,
		"a.b.c":                             false,
		"5.10.0 android13":                  false,
		"5.10.0x":                           false,
		"5.10.0\n":                          false,
		"5.10.0-a\n":                        false,
		"-5.10.0":                           false,
	} {
		got, err := kernelRelease.of(specWith(kernelRelease.key, value))
		if valid {
			require.NoError(t, err, "%q", value)
			require.Equal(t, value, got)
		} else {
			require.ErrorContains(t, err, kernelRelease.key, "%q", value)
		}
	}
}
