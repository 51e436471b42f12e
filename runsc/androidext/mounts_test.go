// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hinting returns spec with annotations for a shared mount: fields, each followed by its
// value.
func hinting(spec *specs.Spec, fields ...string) *specs.Spec {
	if spec.Annotations == nil {
		spec.Annotations = make(map[string]string)
	}
	for i := 0; i < len(fields); i += 2 {
		spec.Annotations[hintPrefix+"b."+fields[i]] = fields[i+1]
	}
	return spec
}

// A binderfs's options are either obeyed or refused.
func TestMountOptions(t *testing.T) {
	for _, tc := range []struct {
		name    string
		typ     string
		options []string
		err     string
	}{
		{"none", "binder", nil, ""},
		{"all", "binder", []string{"max=8", "stats=global", "mode=0666", "ro", "nosuid", "noexec", "noatime"}, ""},
		{"defaults, spelt out", "binder", []string{"rw", "dev", "suid", "exec", "atime", "rprivate", "defaults"}, ""},
		{"nodev", "binder", []string{"nodev"}, `option "nodev": nobody could open the devices`},
		{"unknown", "binder", []string{"uid=1"}, `option "uid=1" has no effect on binderfs: want one of max, stats, mode, ro, `},
		{"unknown, after others", "binder", []string{"ro", "max=4", "size=3"}, `option "size=3"`},
		{"malformed", "binder", []string{"mode=rw"}, `option "mode=rw"`},
		{"no room", "binder", []string{"max=2"}, "max=2 leaves no room for the initial devices: binder, hwbinder, vndbinder"},
		{"shared with the host", "binder", []string{"shared"}, `option "shared"`},
		{"a bind mount in fact", "binder", []string{"rbind", "nodev", "x"}, ""},
		{"another file system", "tmpfs", []string{"nodev", "mode=0666", "x"}, ""},
		{"misspelt", "binderfs", nil, `mount at /m: unknown type "binderfs": want "binder"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := specs.Mount{Type: tc.typ, Destination: "/m", Source: "binder", Options: tc.options}
			requireValidity(t, tc.err, New(nil).ValidateSpec(mounting(&specs.Spec{}, m), nil))
			requireValidity(t, tc.err, New(nil).ValidateSpec(mounting(&specs.Spec{}, m), &specs.Spec{}))
		})
	}
	m := specs.Mount{Type: "binder", Destination: "/m", Options: []string{"max=2"}}
	requireValidity(t, "", New(nil).ValidateSpec(mounting(androidWith(devices.key, "a,b"), m), nil))
	requireValidity(t, "no room", New(nil).ValidateSpec(mounting(androidWith(devices.key, "a,b,c"), m), nil))
}

// So are a shared one's, which belong in the annotation.
func TestHints(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		err    string
	}{
		{"all", []string{"source", "/x", "type", "binder", "share", "pod", "options", "stats=global,mode=0666,ro"}, ""},
		{"one container's", []string{"source", "/x", "type", "binder", "share", "container"}, ""},
		{"of another type", []string{"type", "tmpfs", "share", "shared", "options", "x"}, ""},
		{"misspelt", []string{"source", "/x", "type", "binderfs", "share", "pod"}, `annotation dev.gvisor.spec.mount.b.type: unknown type "binderfs"`},
		{"without source", []string{"type", "binder", "share", "pod"}, "annotation dev.gvisor.spec.mount.b.source is missing"},
		{"without share", []string{"source", "/x", "type", "binder"}, `annotation dev.gvisor.spec.mount.b.share="": want one of pod, container`},
		{"with the host", []string{"source", "/x", "type", "binder", "share", "shared"}, `share="shared"`},
		{"unknown option", []string{"source", "/x", "type", "binder", "share", "pod", "options", "stats=global,uid=1"}, `annotation dev.gvisor.spec.mount.b.options: option "uid=1"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			requireValidity(t, tc.err, New(nil).ValidateSpec(hinting(&specs.Spec{}, tc.fields...), nil))
		})
	}
}

func TestSharedMountOptions(t *testing.T) {
	root := hinting(&specs.Spec{}, "source", "/x", "type", "binder", "share", "pod", "options", "stats=global,max=9")
	for _, tc := range []struct {
		name string
		spec *specs.Spec
		err  string
	}{
		{"as podman passes it", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/m", Source: "/x", Options: []string{"rbind", "rprivate", "nosuid", "nodev", "rw"}}), ""},
		{"as binder", mounting(&specs.Spec{}, specs.Mount{Type: "binder", Destination: "/m", Source: "/x", Options: []string{"ro"}}), ""},
		{"as binder, nodev", mounting(&specs.Spec{}, specs.Mount{Type: "binder", Destination: "/m", Source: "/x", Options: []string{"nodev"}}), `"nodev" has no effect`},
		{"the file system's options", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/m", Source: "/x", Options: []string{"mode=0666"}}), `option "mode=0666" of a shared binderfs belongs to the annotation`},
		{"the same ones", mounting(&specs.Spec{}, specs.Mount{Type: "binder", Destination: "/m", Source: "/x", Options: []string{"stats=global"}}), ""},
		{"another value", mounting(&specs.Spec{}, specs.Mount{Type: "binder", Destination: "/m", Source: "/x", Options: []string{"max=8"}}), `option "max=8" of a shared`},
		{"unknown", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/m", Source: "/x", Options: []string{"uid=1"}}), `option "uid=1" has no effect on a shared binderfs`},
		{"another source", mounting(&specs.Spec{}, specs.Mount{Type: "bind", Destination: "/m", Source: "/y", Options: []string{"uid=1"}}), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			requireValidity(t, tc.err, New(nil).ValidateSpec(tc.spec, root))
		})
	}
}
