// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Binary sandbox is runsc with the gate of the differential test. It's built like
// runsc.
package main

import (
	"os"
	"path/filepath"

	"gvisor.dev/gvisor/runsc/boot/extension"
	"gvisor.dev/gvisor/runsc/cli/maincli"

	"sentrybinder/runsc/androidext"
	"sentrybinder/test/differential/gate"
)

func main() {
	// There are no sidecar binaries. See runsc/main.go.
	const sidecarDirEnv = "GVISOR_SIDECAR_BINARIES_DIR"
	if os.Getenv(sidecarDirEnv) == "" {
		if exe, err := os.Executable(); err == nil {
			os.Setenv(sidecarDirEnv, filepath.Join(filepath.Dir(exe), "sentrybinder-bin"))
		}
	}
	g := &gate.Gate{}
	extension.Register(androidext.New(g))
	extension.Register(g)
	maincli.Main()
}
