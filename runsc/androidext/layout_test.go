// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/sentry/fsimpl/binderfs"
)

// androidWith returns a spec with layoutAndroid and annotations.
func androidWith(annotations ...string) *specs.Spec {
	return specWith(append([]string{layout.key, layoutAndroid}, annotations...)...)
}

// mounting returns spec with mounts.
func mounting(spec *specs.Spec, mounts ...specs.Mount) *specs.Spec {
	spec.Mounts = mounts
	return spec
}

func TestLayoutFiles(t *testing.T) {
	added := specs.Mount{Type: "binder", Destination: "/dev/binderfs", Options: []string{"stats=global"}}
	own := specs.Mount{Type: "binder", Destination: "/dev/binderfs/", Source: "binder"}
	for _, tc := range []struct {
		name       string
		spec, root *specs.Spec
		mounts     []specs.Mount
		links      map[string]string
	}{
		{"plain", &specs.Spec{}, &specs.Spec{}, nil, map[string]string{}},
		{"plain, spelt out", &specs.Spec{}, specWith(layout.key, layoutPlain), nil, map[string]string{}},
		{"Android's", &specs.Spec{}, androidWith(), []specs.Mount{added}, map[string]string{
			"/dev/binder": "/dev/binderfs/binder", "/dev/hwbinder": "/dev/binderfs/hwbinder", "/dev/vndbinder": "/dev/binderfs/vndbinder"}},
		{"with other devices", &specs.Spec{}, androidWith(devices.key, "a"), []specs.Mount{added}, map[string]string{"/dev/a": "/dev/binderfs/a"}},
		{"without devices", &specs.Spec{}, androidWith(devices.key, ""), []specs.Mount{added}, map[string]string{}},
		{"with a mount", mounting(&specs.Spec{}, own), androidWith(devices.key, "a"), nil, map[string]string{"/dev/a": "/dev/binderfs/a"}},
		{"with a mount elsewhere", mounting(&specs.Spec{}, specs.Mount{Type: "binder", Destination: "/binderfs"}), androidWith(devices.key, ""), []specs.Mount{added}, map[string]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mounts, links, err := New(nil).Files(tc.spec, tc.root)
			require.NoError(t, err)
			require.Equal(t, tc.mounts, mounts)
			require.Equal(t, tc.links, links)
		})
	}
}

// Devices are either in /dev or in each binderfs.
func TestLayoutDevices(t *testing.T) {
	c, err := binderConfigOf(specWith(devices.key, "a,b"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, c.files())
	require.Equal(t, binderfs.LinuxDefaults, c.defaults())

	c, err = binderConfigOf(androidWith(devices.key, "a,b"))
	require.NoError(t, err)
	require.Empty(t, c.files())
	require.Equal(t, binderfs.Defaults{Devices: []string{"a", "b"}, Mode: 0666}, c.defaults())
}

func TestLayoutValidate(t *testing.T) {
	for _, tc := range []struct {
		name       string
		spec, root *specs.Spec
		err        string
	}{
		{"a container's, passed on", androidWith(), androidWith(), ""},
		{"a container's own", androidWith(), &specs.Spec{}, "takes effect only in the config of the sandbox's first container"},
		{"another word", specWith(layout.key, "Android"), nil, `annotation dev.sentrybinder.layout="Android": want one of plain, android`},
		{"a device by the name of the mount", androidWith(devices.key, "binderfs"), nil, `device "binderfs": the name is taken with dev.sentrybinder.layout=android`},
		{"a device by the name of a file", androidWith(devices.key, "a,binder_logs"), nil, `device "binder_logs"`},
		{"the same in the plain layout", specWith(devices.key, "binder_logs,binderfs"), nil, ""},
		{"a mount at a link", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/dev/hwbinder", Source: "/x"}), androidWith(), "mount at /dev/hwbinder: annotation"},
		{"a mount at another path", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/dev/hwbinder", Source: "/x"}), androidWith(devices.key, "binder"), ""},
		{"a mount at a device file", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/dev/binder", Source: "/x"}), &specs.Spec{}, ""},
		{"another mount at binderfs", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/dev/binderfs", Source: "/x"}), androidWith(), `its type is "bind", but annotation`},
		{"the same in the plain layout", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/dev/binderfs", Source: "/x"}), &specs.Spec{}, `this would be the host's "/x", not a binderfs`},
		{"one without a host's", mounting(&specs.Spec{}, specs.Mount{Type: "tmpfs", Destination: "/dev/binderfs", Source: "tmpfs"}), &specs.Spec{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			requireValidity(t, tc.err, New(nil).ValidateSpec(tc.spec, tc.root))
		})
	}
	require.ErrorContains(t, New(nil).ValidateRestore(&specs.Spec{}, androidWith(), true), "annotation dev.sentrybinder.layout is ")
	require.NoError(t, New(nil).ValidateRestore(specWith(layout.key, layoutPlain), &specs.Spec{}, true))
}

// requireValidity requires an error that contains want, or none if want is empty.
func requireValidity(t *testing.T, want string, err error) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
	} else {
		require.ErrorContains(t, err, want)
	}
}
