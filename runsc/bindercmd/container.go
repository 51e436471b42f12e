// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package bindercmd

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/control/client"
	"gvisor.dev/gvisor/pkg/urpc"
)

// Container is a container whose sandbox is running.
type Container struct {
	// ID is the container's full ID.
	ID string

	// ControlSocket is the path of the sandbox's control socket.
	ControlSocket string
}

// Loader finds a container by its ID, or by a prefix of it, below runsc's root directory.
type Loader func(rootDir, id string) (*Container, error)

// connect connects to the control server of c's sandbox.
func (c *Container) connect() (*urpc.Client, error) {
	// The socket's path may be too long for a socket address.
	dir, err := unix.Open(filepath.Dir(c.ControlSocket), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the directory of %s: %w", c.ControlSocket, err)
	}
	defer unix.Close(dir)
	conn, err := client.ConnectTo(fmt.Sprintf("/proc/self/fd/%d/%s", dir, filepath.Base(c.ControlSocket)))
	if err != nil {
		return nil, fmt.Errorf("connecting to the sandbox: %w", err)
	}
	return conn, nil
}
