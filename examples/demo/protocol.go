// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "sentrybinder/examples/demo/ipc"

// Methods of the service manager. All calls are synchronous.
const (
	// managerAdd (name, object) registers the object under a name.
	managerAdd = iota + 1

	// managerFind (name) returns the object of that name, or statusNotFound.
	managerFind
)

// statusNotFound is the manager's answer for an unknown name.
const statusNotFound = ipc.StatusError(-2)

// deskName is the name under which the service is registered.
const deskName = "demo.desk"

// Methods of the service. All but deskNote are synchronous.
const (
	// deskAdd (a, b) returns their sum.
	deskAdd = iota + 1

	// deskMeet () waits for a second caller, and returns to each the thread that served
	// it.
	deskMeet

	// deskNote (text) is one-way and takes down a note, but only once somebody has asked
	// for the notes.
	deskNote

	// deskNotes (n) waits until there are n notes and returns them.
	deskNotes

	// deskAsk (object) asks the object listenerQuestion and returns its answer.
	deskAsk

	// deskFile () returns a file descriptor.
	deskFile
)

// listenerQuestion (text) is the method of a client's object that the service calls. It
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
