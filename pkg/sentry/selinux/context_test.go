// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinux

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

func requireInvalid(t *testing.T, err error, args ...any) {
	t.Helper()
	require.True(t, linuxerr.Equals(linuxerr.EINVAL, err), args...)
}

func TestCanonical(t *testing.T) {
	for s, want := range map[string]string{
		"u:r:init:s0":                   "",
		"u:object_r:a.b-c_0:s0":         "",
		"U:R:T:s15":                     "",
		"u:r:init:s0\x00":               "u:r:init:s0",
		"u:r:init:s0\x00whatever\n":     "u:r:init:s0",
		"u:r:init:s0:c0":                "",
		"u:r:init:s0:c0,c1":             "",
		"u:r:init:s0:c0.c1":             "u:r:init:s0:c0,c1",
		"u:r:init:s0:c0.c2":             "",
		"u:r:init:s0:c2,c0":             "u:r:init:s0:c0,c2",
		"u:r:init:s0:c2,c1,c0,c0":       "u:r:init:s0:c0.c2",
		"u:r:init:s0:c1.c3,c3.c5":       "u:r:init:s0:c1.c5",
		"u:r:init:s0:c62.c65,c127,c128": "u:r:init:s0:c62.c65,c127,c128",
		"u:r:init:s0:c0.c1023":          "",
		"u:r:init:s0:c1023":             "",
		"u:r:init:s0:c512,c768":         "",
		"u:r:init:s0-s0":                "u:r:init:s0",
		"u:r:init:s0-s0:c0.c2":          "",
		"u:r:init:s0:c1-s0:c0.c2":       "",
		"u:r:init:s0-s15:c0.c1023":      "",
		"u:r:init:s0:c1-s0:c1":          "u:r:init:s0:c1",
	} {
		if want == "" {
			want = s
		}
		got, err := Canonical(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got)
		again, err := Canonical(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	}
	longest := "u:r:" + strings.Repeat("x", MaxContextLen-len("u:r::s0")) + ":s0"
	_, err := Canonical(longest)
	require.NoError(t, err)

	for _, s := range []string{
		"", "\x00", "kernel", "u", "u:r", "u:r:init", "u:r:init:", ":r:init:s0", "u::init:s0", "u:r::s0",
		"u:r:init:s0 ", " u:r:init:s0", "u:r:init:s0\n", "u:r:in it:s0", "u:r:in/it:s0", "u:r:inít:s0",
		"u:r:init:0", "u:r:init:s", "u:r:init:s00", "u:r:init:s16", "u:r:init:s-1", "u:r:init:c0", "u:r:init:s+1",
		"u:r:init:s0:", "u:r:init:s0:c", "u:r:init:s0:c1024", "u:r:init:s0:c0,", "u:r:init:s0:,c0", "u:r:init:s0:c01",
		"u:r:init:s0:c0.", "u:r:init:s0:c1.c0", "u:r:init:s0:c1.c1", "u:r:init:s0:c0.c1.c2", "u:r:init:s0:c0:c1",
		"u:r:init:s0:c99999999999999999999", "u:r:init:s0-", "u:r:init:s1-s0", "u:r:init:s0:c1-s0:c0", "u:r:init:s0-s0-s0",
		longest + "0",
	} {
		got, err := Canonical(s)
		requireInvalid(t, err, "%q: got %q", s, got)
	}
}

// FuzzCanonical looks for contexts whose canonical form isn't one, or is longer.
func FuzzCanonical(f *testing.F) {
	f.Add("u:r:init:s0-s0:c0.c2,c5")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Canonical(s)
		if err != nil {
			return
		}
		again, err := Canonical(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.LessOrEqual(t, len(got), len(s))
	})
}

// What Linux computes with a policy that has nothing but a rule for adbd_exec.
func TestCompute(t *testing.T) {
	const (
		file   = 6
		socket = 23
	)
	for _, tc := range []struct {
		source, target          string
		class                   Class
		create, relabel, member string
	}{
		{"u:r:init:s0", "u:object_r:adbd_exec:s0", ClassProcess, "u:r:adbd:s0", "u:r:init:s0", "u:r:init:s0"},
		{"u:r:init:s0", "u:object_r:system_file:s0", ClassProcess, "u:r:init:s0", "u:r:init:s0", "u:r:init:s0"},
		{"u:r:init:s0", "u:object_r:_exec:s0", ClassProcess, "u:r:init:s0", "u:r:init:s0", "u:r:init:s0"},
		{"u:r:init:s0:c0", "u:object_r:adbd_exec:s0:c1", file, "u:object_r:adbd_exec:s0:c0", "u:object_r:adbd_exec:s0:c0", "u:object_r:adbd_exec:s0:c0"},
		{"u:r:init:s0-s0:c0", "u:object_r:system_file:s0", file, "u:object_r:system_file:s0", "u:object_r:system_file:s0", "u:object_r:system_file:s0"},
		{"u:r:init:s0-s0:c0", "u:r:adbd:s0:c1", ClassProcess, "u:r:init:s0-s0:c0", "u:r:init:s0-s0:c0", "u:r:init:s0"},
		{"u:r:init:s0", "u:r:adbd:s0", socket, "u:r:init:s0", "u:r:init:s0", "u:r:init:s0"},
		{"u:r:init:s0", "u:object_r:system_file:s0", 0, "u:object_r:system_file:s0", "u:object_r:system_file:s0", "u:object_r:system_file:s0"},
		{"u:r:init:s0", "u:object_r:system_file:s0", 999, "u:object_r:system_file:s0", "u:object_r:system_file:s0", "u:object_r:system_file:s0"},
		{"a:r:init:s0", "b:object_r:dir:s0", 7, "a:object_r:dir:s0", "a:object_r:dir:s0", "b:object_r:dir:s0"},
	} {
		for name, f := range map[string]struct {
			compute func(source, target string, class Class) (string, error)
			want    string
		}{"create": {Create, tc.create}, "relabel": {Relabel, tc.relabel}, "member": {Member, tc.member}} {
			got, err := f.compute(tc.source, tc.target, tc.class)
			require.NoError(t, err)
			require.Equal(t, f.want, got, "%s %s %s %d", name, tc.source, tc.target, tc.class)
			for _, args := range [][2]string{{"bad", tc.target}, {tc.source, "bad"}} {
				_, err := f.compute(args[0], args[1], tc.class)
				requireInvalid(t, err)
			}
		}
	}
}
