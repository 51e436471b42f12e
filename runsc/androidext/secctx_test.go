// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestSecurityContext(t *testing.T) {
	longest := strings.Repeat("x", maxSecurityContextLen)
	for _, value := range []string{"u:r:untrusted_app:s0:c1,c2", longest} {
		got, err := securityContext.of(specWith(securityContext.key, value))
		require.NoError(t, err)
		require.Equal(t, value, got)
		require.NoError(t, New(nil).ValidateSpec(specWith(securityContext.key, value), nil))
	}
	got, err := securityContext.of(&specs.Spec{})
	require.NoError(t, err)
	require.Equal(t, "u:object_r:unlabeled:s0", got)

	for _, value := range []string{"", longest + "x", "a\x00b"} {
		_, err := securityContext.of(specWith(securityContext.key, value))
		require.ErrorContains(t, err, securityContext.key)
		require.Error(t, New(nil).ValidateSpec(specWith(securityContext.key, value), nil))
	}
}
