// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// A config's Binder device nodes must be those that the container has.
func TestNodes(t *testing.T) {
	mounted := specs.Mount{Type: "binder", Destination: "/m/binderfs", Source: "binder"}
	shared := specs.Mount{Type: "bind", Destination: "/dev/binderfs", Source: "/x"}
	const none = "this sandbox has no such Binder device"
	for _, tc := range []struct {
		name, path, typ string
		spec, root      *specs.Spec
		err             string
	}{
		{"another device", "/dev/fuse", "c", &specs.Spec{}, &specs.Spec{}, ""},
		{"one of /dev", "/dev/vndbinder", "c", &specs.Spec{}, &specs.Spec{}, ""},
		{"another one", "/dev/anbox-binder", "c", &specs.Spec{}, &specs.Spec{}, none},
		{"one of those named", "/dev/anbox-binder", "c", &specs.Spec{}, specWith(devices.key, "anbox-binder"), ""},
		{"not one of those named", "/dev/binder", "c", &specs.Spec{}, specWith(devices.key, ""), none},
		{"a pipe", "/dev/binder", "p", &specs.Spec{}, &specs.Spec{}, `type "p": want c`},
		{"elsewhere", "/opt/binder", "c", &specs.Spec{}, &specs.Spec{}, none},
		{"a link", "/dev/binder", "c", &specs.Spec{}, androidWith(), ""},
		{"behind a link", "/dev/binderfs/binder", "c", &specs.Spec{}, androidWith(), ""},
		{"of Android's binderfs", "/dev/binderfs/binder-control", "c", &specs.Spec{}, androidWith(), ""},
		{"none of Android's binderfs", "/dev/binderfs/x", "c", &specs.Spec{}, androidWith(), none},
		{"of no binderfs", "/dev/binderfs/binder-control", "c", &specs.Spec{}, &specs.Spec{}, none},
		{"of a mount", "/m/binderfs/hwbinder", "c", mounting(&specs.Spec{}, mounted), &specs.Spec{}, ""},
		{"of a shared mount", "/dev/binderfs/hwbinder", "c", mounting(&specs.Spec{}, shared), hinting(&specs.Spec{}, "source", "/x", "type", "binder", "share", "pod"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.spec.Linux = &specs.Linux{Devices: []specs.LinuxDevice{{Path: tc.path, Type: tc.typ}}}
			requireValidity(t, tc.err, New(nil).ValidateSpec(tc.spec, tc.root))
		})
	}
}

// A privileged container's config lists all devices of its host, whatever they are.
func TestNodesOfPrivileged(t *testing.T) {
	minor := int64(5)
	host := []specs.LinuxDevice{{Path: "/dev/anbox-binder", Type: "c"}}
	for _, tc := range []struct {
		name  string
		allow specs.LinuxDeviceCgroup
		err   string
	}{
		{"all", specs.LinuxDeviceCgroup{Allow: true, Access: "rwm"}, ""},
		{"all, by type", specs.LinuxDeviceCgroup{Allow: true, Type: "a", Access: "rwm"}, ""},
		{"none", specs.LinuxDeviceCgroup{Access: "rwm"}, "no such Binder device"},
		{"one", specs.LinuxDeviceCgroup{Allow: true, Minor: &minor, Access: "rwm"}, "no such Binder device"},
		{"block devices", specs.LinuxDeviceCgroup{Allow: true, Type: "b", Access: "rwm"}, "no such Binder device"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := &specs.Spec{Linux: &specs.Linux{Devices: host, Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{tc.allow}}}}
			requireValidity(t, tc.err, New(nil).ValidateSpec(spec, &specs.Spec{}))
		})
	}
}

// A privileged container has none of its host's Binder devices.
func TestIgnoreDevice(t *testing.T) {
	for path, want := range map[string]bool{
		"/dev/binder": true, "/dev/anbox-binder": true, "/dev/binderfs/binder-control": true, "/dev/fuse": false, "/dev/null": false,
	} {
		d := specs.LinuxDevice{Path: path, Type: "c"}
		spec := &specs.Spec{Linux: &specs.Linux{Devices: []specs.LinuxDevice{d}, Resources: &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true}}}}}
		for _, root := range []*specs.Spec{{}, androidWith(), specWith(devices.key, "")} {
			require.Equal(t, want, New(nil).IgnoreDevice(&d, spec, root), path)
		}
		spec.Linux.Resources = nil
		require.False(t, New(nil).IgnoreDevice(&d, spec, &specs.Spec{}), path)
	}
}
