// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "sentrybinder/examples/demo/ipc"

// What the service manager does. All calls are synchronous.
const (
	// managerAdd (name, object) gives the object a name.
	managerAdd = iota + 1

	// managerFind (name) returns the object of that name, or statusNotFound.
	managerFind
)

// statusNotFound is the manager's answer for a name that nobody has.
const statusNotFound = ipc.StatusError(-2)

// deskName is the name under which the service is registered.
const deskName = "demo.desk"

// What the service does. All but deskNote are synchronous.
const (
	// deskAdd (a, b) returns their sum.
	deskAdd = iota + 1

	// deskMeet () returns, to two callers at the same time, the thread that
	// served each.
	deskMeet

	// deskNote (text) is one-way and takes a note down, the first one only
	// when somebody has asked for the notes.
	deskNote

	// deskNotes (n) waits until there are n notes and returns them.
	deskNotes

	// deskAsk (object) asks the object listenerQuestion and returns its answer.
	deskAsk

	// deskFile () returns a file descriptor.
	deskFile
)

// listenerQuestion (text) is what the service asks a client's object. It
// returns a text.
const listenerQuestion = 1

// find asks the service manager for an object.
func find(conn *ipc.Conn, name string) (*ipc.Ref, error) {
	reply, err := conn.ContextManager().Call(managerFind, new(ipc.Parcel).WriteString(name))
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	return reply.ReadRef()
}
