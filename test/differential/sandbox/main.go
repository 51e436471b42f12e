// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

// Binary sandbox is runsc with the differential test's gate. It is built like runsc.
package main

import (
	"os"
	"path/filepath"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink"
	"gvisor.dev/gvisor/pkg/sentry/socket/netlink/generic"
	"gvisor.dev/gvisor/pkg/syserr"
	"gvisor.dev/gvisor/runsc/boot/extension"
	"gvisor.dev/gvisor/runsc/cli/maincli"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/socket/bindernetlink"
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
	extension.Register(androidext.New(g).EnableReports(registerFamily))
	extension.Register(g)
	maincli.Main()
}

// registerFamily registers f with generic netlink, as in runsc/main.go.
func registerFamily(f *bindernetlink.Family) uint16 {
	return generic.RegisterFamily(&generic.Family{
		Name:    binder.BINDER_FAMILY_NAME,
		Version: binder.BINDER_FAMILY_VERSION,
		Groups: []generic.Group{{
			Name: binder.BINDER_MCGRP_REPORT,
			Join: func(ctx context.Context, s *netlink.Socket, id uint32) (generic.Membership, *syserr.Error) {
				return f.Join(ctx, s, id)
			},
		}},
	})
}
