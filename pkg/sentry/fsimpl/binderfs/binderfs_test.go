// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderfs

import (
	"testing"

	"gvisor.dev/gvisor/pkg/errors/linuxerr"
)

func TestParseOptions(t *testing.T) {
	for _, tc := range []struct {
		data  string
		valid bool
		stats bool
	}{
		{"", true, false},
		{"stats=global", true, true},
		{"max=4096", true, false},
		{"max=1048576,stats=global", true, true},
		{"max=1048577", false, false},
		{"max=-1", false, false},
		{"max=x", false, false},
		{"stats=local", false, false},
		{"stats", false, false},
		{"unknown=1", false, false},
	} {
		o, err := parseOptions(tc.data)
		if valid := err == nil; valid != tc.valid || o.globalStats != tc.stats && tc.valid {
			t.Errorf("parseOptions(%q) = %+v, %v; want valid %t, stats %t", tc.data, o, err, tc.valid, tc.stats)
		}
		if err != nil && !linuxerr.Equals(linuxerr.EINVAL, err) {
			t.Errorf("parseOptions(%q) fails with %v, want EINVAL", tc.data, err)
		}
	}
}
