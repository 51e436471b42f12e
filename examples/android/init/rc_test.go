// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	got, err := parse(`
# A comment.
service one /bin/one
service two /bin/two -a b
    user 1000
    setenv PATH /bin
    disabled
    # Another.
    oneshot
    interface aidl a.IOne/default
    interface aidl a.ITwo/default
`)
	require.NoError(t, err)
	require.Equal(t, []*service{
		{name: "one", args: []string{"/bin/one"}},
		{name: "two", args: []string{"/bin/two", "-a", "b"}, uid: 1000, env: []string{"PATH=/bin"}, disabled: true, oneshot: true,
			interfaces: []string{"aidl/a.IOne/default", "aidl/a.ITwo/default"}},
	}, got)
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"disabled",
		"service one",
		"service one /bin/one\nservice one /bin/two",
		"service one /bin/one\ndisabled now",
		"service one /bin/one\nuser system",
		"service one /bin/one\nuser -1",
		"service one /bin/one\nsetenv PATH=/bin",
		"service one /bin/one\nclass main",
	} {
		_, err := parse(text)
		require.Error(t, err, text)
	}
}
