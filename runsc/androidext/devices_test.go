// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestDevices(t *testing.T) {
	longest := strings.Repeat("x", maxNameLen)
	for _, tc := range []struct {
		value string
		want  []string
	}{
		{"", nil},
		{"binder", []string{"binder"}},
		{"vndbinder,binder", []string{"vndbinder", "binder"}},
		{"anbox-binder,..b,b.0_é", []string{"anbox-binder", "..b", "b.0_é"}},
		{longest, []string{longest}},
	} {
		got, err := devices.of(specWith(devices.key, tc.value))
		require.NoError(t, err, tc.value)
		require.Equal(t, tc.want, got, tc.value)
	}

	got, err := devices.of(&specs.Spec{})
	require.NoError(t, err)
	require.Equal(t, []string{"binder", "hwbinder", "vndbinder"}, got)
}

func TestDevicesInvalid(t *testing.T) {
	for value, want := range map[string]string{
		",":                               "empty",
		"binder,":                         "empty",
		",binder":                         "empty",
		strings.Repeat("x", maxNameLen+1): "at most 255 bytes",
		".":                               "file name",
		"a,..":                            "file name",
		"binder/x":                        "file name",
		"binder, hwbinder":                "spaces",
		"binder\x00":                      "control",
		"binder,hwbinder,binder":          "twice",
		"binder,pts":                      "taken",
	} {
		_, err := devices.of(specWith(devices.key, value))
		require.ErrorContains(t, err, devices.key, "value %q", value)
		require.ErrorContains(t, err, want, "value %q", value)
	}
}
