// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

func TestParseOptions(t *testing.T) {
	for data, want := range map[string]options{
		"":                          {max: 4096},
		",":                         {max: 4096},
		"stats=global":              {max: 4096, globalStats: true},
		"max=0":                     {},
		"max=4096":                  {max: 4096},
		"max=1048576,stats=global":  {max: 1048576, globalStats: true},
		"max=3,,stats=global":       {max: 3, globalStats: true},
		"max=3,max=4":               {max: 4},
		"max=+3":                    {max: 3},
		"max=0x1F":                  {max: 31},
		"max=0X1f":                  {max: 31},
		"max=010":                   {max: 8},
		"stats=global,stats=global": {max: 4096, globalStats: true},
	} {
		got, err := parseOptions(data, true)
		require.NoError(t, err, data)
		require.Equal(t, want, got, data)
		again, err := parseOptions(got.String(), true)
		require.NoError(t, err, data)
		require.Equal(t, want, again, data)
	}
	for _, data := range []string{
		"max=1048577", "max=-1", "max=x", "max=", "max", "max=08", "max=0x", "max=1_0", "max=0b1", "max=3 ",
		"max=x,max=3", "MAX=3", "stats=local", "stats=", "stats", "stats=Global", "unknown=1", "unknown", "ro",
	} {
		_, err := parseOptions(data, true)
		require.True(t, linuxerr.Equals(linuxerr.EINVAL, err), "parseOptions(%q) fails with %v, want EINVAL", data, err)
	}
}

// An unprivileged caller can't have the logs.
func TestParseOptionsUnprivileged(t *testing.T) {
	_, err := parseOptions("max=3,stats=global", false)
	require.True(t, linuxerr.Equals(linuxerr.EPERM, err), "%v", err)
	_, err = parseOptions("max=3", false)
	require.NoError(t, err)
}
