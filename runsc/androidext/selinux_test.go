// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/sentry/selinux"
)

// Labels are off unless requested, and can't be enforced.
func TestSELinuxMode(t *testing.T) {
	mode, err := selinuxMode.of(&specs.Spec{})
	require.NoError(t, err)
	require.Empty(t, mode)
	require.NoError(t, New(nil).ValidateSpec(specWith(selinuxMode.key, "permissive"), nil))
	for _, value := range []string{"", "enforcing", "Permissive", "1", "permissive "} {
		require.ErrorContains(t, New(nil).ValidateSpec(specWith(selinuxMode.key, value), nil), selinuxMode.key)
	}
}

// With labels, each container's security context must be one.
func TestValidateLabels(t *testing.T) {
	on, off := specWith(selinuxMode.key, "permissive"), &specs.Spec{}
	for _, root := range []*specs.Spec{on, off} {
		for label, valid := range map[string]bool{"u:r:init:s0": true, securityContext.absent: true, "anything": false} {
			err := New(nil).ValidateSpec(specWith(securityContext.key, label), root)
			if valid || root == off {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "USER:ROLE:TYPE:RANGE")
			}
		}
	}
	require.ErrorContains(t, New(nil).ValidateSpec(specWith(selinuxMode.key, "permissive", securityContext.key, "anything"), nil), securityContext.key)
}

func TestLabelsOfContainer(t *testing.T) {
	l := &labels{}
	spec := specWith(securityContext.key, "u:r:init:s0")
	require.NoError(t, l.startContainer(nil, "id", "name", spec), "there are no labels")
	l.stopContainer(nil, "id")

	m := selinux.NewModule()
	l.module.Store(m)
	require.NoError(t, l.startContainer(nil, "id", "name", spec))
	require.Equal(t, "u:r:init:s0", m.Label(m.InitialContext("id")))
	l.stopContainer(nil, "id")
	require.Equal(t, selinux.Unlabeled, m.Label(m.InitialContext("id")))
}
