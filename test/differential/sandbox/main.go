// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Binary sandbox is runsc with the gate of the differential test. It's built like
// runsc, with the tag "differential".
package main

import (
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/runsc/boot/extension"
	"gvisor.dev/gvisor/runsc/cli/maincli"

	"sentrybinder/pkg/sentry/devices/binder"
	"sentrybinder/runsc/binderext"
)

// gate is the extension that the gate is.
type gate struct{}

// Name implements extension.Extension.Name.
func (gate) Name() string { return "gate" }

// Register implements extension.Extension.Register.
func (gate) Register(_ context.Context, vfsObj *vfs.VirtualFilesystem, _ *specs.Spec) error {
	return binder.RegisterGate(vfsObj)
}

func main() {
	// There are no sidecar binaries. See runsc/main.go.
	const sidecarDirEnv = "GVISOR_SIDECAR_BINARIES_DIR"
	if os.Getenv(sidecarDirEnv) == "" {
		if exe, err := os.Executable(); err == nil {
			os.Setenv(sidecarDirEnv, filepath.Join(filepath.Dir(exe), "sentrybinder-bin"))
		}
	}
	extension.Register(binderext.Extension{})
	extension.Register(gate{})
	maincli.Main()
}
