// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// specWith returns a spec with annotations: keys, each followed by its value.
func specWith(annotations ...string) *specs.Spec {
	spec := &specs.Spec{Annotations: make(map[string]string)}
	for i := 0; i < len(annotations); i += 2 {
		spec.Annotations[annotations[i]] = annotations[i+1]
	}
	return spec
}

// Every annotation is declared once, and is valid when absent.
func TestDeclarations(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range New(nil).settings() {
		require.True(t, strings.HasPrefix(s.name(), Prefix), s.name())
		require.False(t, seen[s.name()], s.name())
		seen[s.name()] = true
		require.NoError(t, s.validate(&specs.Spec{}))
		require.True(t, s.equal(&specs.Spec{}, &specs.Spec{}), s.name())
	}
}

func TestValidate(t *testing.T) {
	first := specWith(devices.key, "a,b")
	for _, tc := range []struct {
		name       string
		spec, root *specs.Spec
		err        string
	}{
		{"nothing", &specs.Spec{}, nil, ""},
		{"nothing in a second container", &specs.Spec{}, first, ""},
		{"others' annotations", specWith("dev.gvisor.spec.x", "y", "dev.sentry", ""), nil, ""},
		{"a first container's", first, nil, ""},
		{"that of a pod, passed on to each container", specWith(devices.key, "a,b"), first, ""},
		{"the default, spelt out", specWith(devices.key, "binder,hwbinder,vndbinder"), &specs.Spec{}, ""},
		{"a container's own", specWith(memory.key, "1", securityContext.key, "x"), first, ""},
		{"misspelt", specWith("dev.sentrybinder.device", "a"), nil,
			`unknown annotation dev.sentrybinder.device ("a"): want one of dev.sentrybinder.ashmem, `},
		{"misspelt in a second container", specWith("dev.sentrybinder.Memory", "1"), first, "unknown annotation dev.sentrybinder.Memory"},
		{"invalid", specWith(devices.key, "a,a"), nil, `annotation dev.sentrybinder.devices="a,a": device "a": listed twice`},
		{"invalid in a second container", specWith(memory.key, "1M"), first, "number of bytes"},
		{"without effect", specWith(devices.key, "c"), first,
			`annotation dev.sentrybinder.devices="c" takes effect only in the config of the sandbox's first container, where it is "a,b"`},
		{"without effect, since the first has none", specWith(devices.key, ""), &specs.Spec{}, "where it is absent"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := New(nil).ValidateSpec(tc.spec, tc.root)
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.err)
		})
	}
}

func TestValidateRestore(t *testing.T) {
	for _, tc := range []struct {
		name        string
		saved, spec *specs.Spec
		// root and other are the errors for a first container and another one.
		root, other string
	}{
		{"the same", specWith(devices.key, "a", memory.key, "1"), specWith(devices.key, "a", memory.key, "1"), "", ""},
		{"the default, spelt out", &specs.Spec{}, specWith(devices.key, "binder,hwbinder,vndbinder", securityContext.key, "u:object_r:unlabeled:s0"), "", ""},
		{"other devices", specWith(devices.key, "a"), specWith(devices.key, "b"),
			`annotation dev.sentrybinder.devices is "b", but was "a" at checkpoint: a restore can't change it`, ""},
		{"the default instead", specWith(devices.key, ""), &specs.Spec{}, `is absent, but was ""`, ""},
		{"other memory", &specs.Spec{}, specWith(memory.key, "1"), `is "1", but was absent`, `is "1", but was absent`},
		{"another security context", specWith(securityContext.key, "a"), specWith(securityContext.key, "b"), "security-context", "security-context"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for isRoot, want := range map[bool]string{true: tc.root, false: tc.other} {
				err := New(nil).ValidateRestore(tc.saved, tc.spec, isRoot)
				if want == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, want)
				}
			}
		})
	}
}

func TestOneOf(t *testing.T) {
	word := annotation[string]{key: Prefix + "word", absent: "v1", parse: oneOf("v1", "v2")}
	got, err := word.of(specWith(word.key, "v2"))
	require.NoError(t, err)
	require.Equal(t, "v2", got)
	_, err = word.of(specWith(word.key, "v3"))
	require.EqualError(t, err, `annotation dev.sentrybinder.word="v3": want one of v1, v2`)

	for value, want := range map[string]bool{"true": true, "false": false} {
		got, err := boolean(value)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, value := range []string{"", "yes", "True", "1"} {
		_, err := boolean(value)
		require.ErrorContains(t, err, "true, false")
	}
}
