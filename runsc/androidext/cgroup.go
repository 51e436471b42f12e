// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package androidext

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
)

// cgroupVersion is the annotation whose value is the sandbox's version of control
// groups, v1 or v2. Without the annotation, runsc's flag -in-sandbox-cgroup decides.
//
// v2 is cgroup2, freezer included. The cpu and cpuset controllers stay in version 1
// hierarchies, where Android expects them.
var cgroupVersion = annotation[string]{
	key:   Prefix + "cgroup",
	scope: ofSandbox,
	parse: oneOf("v1", "v2"),
}

// cgroups is the feature of control groups, which gVisor implements.
type cgroups struct{}

func (cgroups) settings() []setting {
	return []setting{&cgroupVersion}
}

func (cgroups) register(context.Context, *vfs.VirtualFilesystem, *specs.Spec) error {
	return nil
}

// flags implements flagSetter.flags.
func (cgroups) flags(spec *specs.Spec) (map[string]string, error) {
	version, err := cgroupVersion.of(spec)
	if err != nil {
		return nil, err
	}
	switch version {
	case "v1":
		return map[string]string{"in-sandbox-cgroup": "v1"}, nil
	case "v2":
		return map[string]string{"in-sandbox-cgroup": "hybrid"}, nil
	default:
		return nil, nil
	}
}
