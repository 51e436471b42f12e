// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import "gvisor.dev/gvisor/pkg/urpc"

// WriteLog is the method of the sandbox's control server that writes logs. It takes
// LogArgs.
const WriteLog = "Binder.WriteLog"

// LogArgs are the arguments of WriteLog.
type LogArgs struct {
	// Log is the name of the subcommand.
	Log string

	// PID is the process that the log "proc" shows.
	PID int32

	// ContainerID is the container whose domains are shown, or empty for those of
	// all containers.
	ContainerID string

	// PIDsOf is the container in whose PID namespace process IDs are, PID included. If
	// it is empty, they are in the sandbox's root namespace.
	PIDsOf string

	// JSON selects JSON instead of text.
	JSON bool

	// FilePayload holds the file to write to: a pipe.
	urpc.FilePayload
}
