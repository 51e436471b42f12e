// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sentrybinder/examples/demo/ipc"
)

// poolSize is how many threads the driver may ask the service for, in addition to its
// first.
const poolSize = 3

// desk is the service's object, which the threads of the pool share.
type desk struct {
	// met is closed when two callers have arrived at deskMeet.
	met chan struct{}

	// asked is closed when somebody asks for the notes.
	asked chan struct{}

	mu      sync.Mutex
	changed *sync.Cond // signals changes of the fields below, with mu
	callers int
	notes   []string

	// file must stay open until the reply that holds it has been sent.
	file *os.File
}

func runService() error {
	conn, err := ipc.Open(device)
	if err != nil {
		return err
	}
	d := &desk{met: make(chan struct{}), asked: make(chan struct{})}
	d.changed = sync.NewCond(&d.mu)
	object := conn.NewObject(d.handle)
	request := new(ipc.Parcel).WriteString(deskName).WriteObject(object)
	reply, err := conn.ContextManager().Call(managerAdd, request)
	if err != nil {
		return fmt.Errorf("registering: %w", err)
	}
	if err := reply.Close(); err != nil {
		return err
	}
	tell("ready", nil, "I am process %d, registered as %q, and serve with one thread and up to %d more", os.Getpid(), deskName, poolSize)
	return conn.Serve(poolSize, func() {
		tell("spawned", nil, "the driver asked for another thread: here is thread %d", unix.Gettid())
	})
}

func (d *desk) handle(call *ipc.Call) (*ipc.Parcel, error) {
	switch call.Code {
	case deskAdd:
		return d.add(call)
	case deskMeet:
		return d.meet()
	case deskNote:
		return nil, d.note(call)
	case deskNotes:
		return d.allNotes(call)
	case deskAsk:
		return d.ask(call)
	case deskFile:
		return d.secret()
	default:
		return nil, fmt.Errorf("no method %d", call.Code)
	}
}

func (d *desk) add(call *ipc.Call) (*ipc.Parcel, error) {
	a, err := call.ReadInt32()
	if err != nil {
		return nil, err
	}
	b, err := call.ReadInt32()
	if err != nil {
		return nil, err
	}
	tell("added", values(a, b, call.SenderPID), "process %d asks what %d + %d is", call.SenderPID, a, b)
	return new(ipc.Parcel).WriteInt32(a + b), nil
}

func (d *desk) meet() (*ipc.Parcel, error) {
	d.mu.Lock()
	d.callers++
	if d.callers == 2 {
		close(d.met)
	}
	d.mu.Unlock()
	<-d.met
	return new(ipc.Parcel).WriteInt32(int32(unix.Gettid())), nil
}

func (d *desk) note(call *ipc.Call) error {
	text, err := call.ReadString()
	if err != nil {
		return err
	}
	select {
	case <-d.asked:
	default:
		tell("holding", values(text, call.OneWay), "a one-way call: %q. I don't even look at it until somebody asks for it", text)
		<-d.asked
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, text)
	d.changed.Broadcast()
	return nil
}

func (d *desk) allNotes(call *ipc.Call) (*ipc.Parcel, error) {
	n, err := call.ReadInt32()
	if err != nil {
		return nil, err
	}
	close(d.asked)
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.notes) < int(n) {
		d.changed.Wait()
	}
	notes := strings.Join(d.notes, ", ")
	tell("notes", values(notes), "somebody asks: I have %s", notes)
	return new(ipc.Parcel).WriteString(notes), nil
}

func (d *desk) ask(call *ipc.Call) (*ipc.Parcel, error) {
	listener, err := call.ReadRef()
	if err != nil {
		return nil, err
	}
	defer listener.Release()
	const question = "who are you?"
	tell("asking", values(call.SenderPID), "process %d waits for me and passed me an object: I call it and ask %q", call.SenderPID, question)
	reply, err := listener.Call(listenerQuestion, new(ipc.Parcel).WriteString(question))
	if err != nil {
		return nil, err
	}
	defer reply.Close()
	answer, err := reply.ReadString()
	if err != nil {
		return nil, err
	}
	tell("answered", values(answer), "it answers %q; now I answer its process", answer)
	return new(ipc.Parcel).WriteString(answer), nil
}

// secret returns an unnamed file with contents that nobody could guess.
func (d *desk) secret() (*ipc.Parcel, error) {
	fd, err := unix.MemfdCreate("secret", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "secret")
	text := rand.Text()
	if _, err := f.WriteAt([]byte(text), 0); err != nil {
		return nil, err
	}
	tell("file", values(text), "I write %q to a file without a name, and reply with its descriptor, %d here", text, f.Fd())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.file = f
	return new(ipc.Parcel).WriteFile(f), nil
}
