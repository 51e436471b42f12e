// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binderext

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestSecurityContext(t *testing.T) {
	spec := func(value string) *specs.Spec {
		return &specs.Spec{Annotations: map[string]string{SecurityContextAnnotation: value}}
	}
	longest := strings.Repeat("x", maxSecurityContextLen)
	for _, value := range []string{"u:r:untrusted_app:s0:c1,c2", longest} {
		got, err := securityContext(spec(value))
		require.NoError(t, err)
		require.Equal(t, value, got)
		require.NoError(t, new(Extension).ValidateSpec(spec(value)))
	}
	got, err := securityContext(&specs.Spec{})
	require.NoError(t, err)
	require.Equal(t, "u:object_r:unlabeled:s0", got)

	for _, value := range []string{"", longest + "x", "a\x00b"} {
		_, err := securityContext(spec(value))
		require.ErrorContains(t, err, SecurityContextAnnotation)
		require.Error(t, new(Extension).ValidateSpec(spec(value)))
	}
}
