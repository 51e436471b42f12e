// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"sentrybinder/examples/demo/ipc"
)

// manager is a service manager: it knows objects by name. It serves with a single
// thread, and so needs no lock.
type manager struct {
	names map[string]*ipc.Ref
}

func runManager() error {
	conn, err := ipc.Open(device)
	if err != nil {
		return err
	}
	m := &manager{names: make(map[string]*ipc.Ref)}
	if err := conn.BecomeContextManager(conn.NewObject(m.handle)); err != nil {
		return err
	}
	tell("ready", nil, "I am process %d and the context manager of %s: handle 0 is me", os.Getpid(), device)
	return conn.Serve(0, nil)
}

func (m *manager) handle(call *ipc.Call) (*ipc.Parcel, error) {
	name, err := call.ReadString()
	if err != nil {
		return nil, err
	}
	switch call.Code {
	case managerAdd:
		return nil, m.add(call, name)
	case managerFind:
		ref, ok := m.names[name]
		if !ok {
			tell("not found", values(name, call.SenderPID), "process %d asks for %q: no object has that name", call.SenderPID, name)
			return nil, statusNotFound
		}
		tell("found", values(name, call.SenderPID), "process %d asks for %q: here is a reference", call.SenderPID, name)
		return new(ipc.Parcel).WriteRef(ref), nil
	default:
		return nil, fmt.Errorf("no method %d", call.Code)
	}
}

func (m *manager) add(call *ipc.Call, name string) error {
	ref, err := call.ReadRef()
	if err != nil {
		return err
	}
	m.names[name] = ref
	tell("added", values(name, call.SenderPID, call.SenderEUID),
		"process %d, user %d, registers %q; I call it handle %d", call.SenderPID, call.SenderEUID, name, ref.Handle())
	return ref.OnDeath(func() {
		delete(m.names, name)
		tell("forgotten", values(name), "the driver notifies me that %q has died; I forget the name", name)
		if err := ref.Release(); err != nil {
			tell("error", nil, "releasing %q: %v", name, err)
		}
	})
}
