// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import "gvisor.dev/gvisor/pkg/urpc"

// WriteLog is the method of the sandbox's control server that writes logs. It takes
// LogArgs.
const WriteLog = "Binder.WriteLog"

// LogArgs says what is to be written.
type LogArgs struct {
	// Log is the name of the subcommand.
	Log string

	// PID is the process that log "proc" is of.
	PID int32

	// ContainerID is the container whose domains are shown, or empty for those of
	// all containers.
	ContainerID string

	// PIDsOf is the container whose PID namespace has the IDs of processes, also
	// PID. If it is empty, that's the sandbox's root namespace.
	PIDsOf string

	// JSON is true for JSON in place of text.
	JSON bool

	// FilePayload has the file to write to: a pipe.
	urpc.FilePayload
}
