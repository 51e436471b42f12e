// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"sentrybinder/examples/demo/ipc"
)

// client is one of the service's clients. It does what the director writes to its
// standard input, one action per line, and tells "done" after each.
type client struct {
	conn *ipc.Conn
	desk *ipc.Ref
}

func runClient() error {
	conn, err := ipc.Open(device)
	if err != nil {
		return err
	}
	c := &client{conn: conn}
	// For death notifications: nested calls come to the thread that waits.
	failed := make(chan error, 1)
	go func() { failed <- conn.Serve(0, nil) }()

	actions := map[string]func() error{
		"find":      c.find,
		"miss":      c.miss,
		"add":       c.add,
		"meet":      c.meet,
		"note":      c.note,
		"read":      c.readNotes,
		"ask":       c.ask,
		"open":      c.open,
		"watch":     c.watch,
		"call dead": c.callDead,
	}
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		if err := actions[commands.Text()](); err != nil {
			return fmt.Errorf("%s: %w", commands.Text(), err)
		}
		tell("done", nil, "")
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (c *client) find() error {
	desk, err := find(c.conn, deskName)
	if err != nil {
		return err
	}
	c.desk = desk
	tell("found", values(desk.Handle()), "I am process %d; %q is handle %d here", os.Getpid(), deskName, desk.Handle())
	return nil
}

// miss looks the service up after its death.
func (c *client) miss() error {
	_, err := find(c.conn, deskName)
	if !errors.Is(err, statusNotFound) {
		return fmt.Errorf("looking for the dead service: %w", err)
	}
	tell("missed", nil, "I ask for %q and learn that there is none", deskName)
	return nil
}

func (c *client) add() error {
	reply, err := c.desk.Call(deskAdd, new(ipc.Parcel).WriteInt32(40).WriteInt32(2))
	if err != nil {
		return err
	}
	defer reply.Close()
	sum, err := reply.ReadInt32()
	if err != nil {
		return err
	}
	tell("sum", values(sum), "I called add(40, 2), and the answer is %d", sum)
	return nil
}

func (c *client) meet() error {
	reply, err := c.desk.Call(deskMeet, new(ipc.Parcel))
	if err != nil {
		return err
	}
	defer reply.Close()
	tid, err := reply.ReadInt32()
	if err != nil {
		return err
	}
	tell("met", values(tid), "thread %d served me", tid)
	return nil
}

func (c *client) note() error {
	for _, text := range []string{"one", "two", "three"} {
		if err := c.desk.Send(deskNote, new(ipc.Parcel).WriteString(text)); err != nil {
			return err
		}
	}
	tell("sent", nil, "I made three one-way calls without waiting for any of them")
	return nil
}

func (c *client) readNotes() error {
	reply, err := c.desk.Call(deskNotes, new(ipc.Parcel).WriteInt32(3))
	if err != nil {
		return err
	}
	defer reply.Close()
	notes, err := reply.ReadString()
	if err != nil {
		return err
	}
	tell("notes", values(notes), "they arrived in order: %s", notes)
	return nil
}

// ask passes the service an object, which it calls before it answers.
func (c *client) ask() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	waiting := unix.Gettid()
	listener := c.conn.NewObject(func(call *ipc.Call) (*ipc.Parcel, error) {
		question, err := call.ReadString()
		if err != nil {
			return nil, err
		}
		if call.Code != listenerQuestion {
			return nil, fmt.Errorf("no method %d", call.Code)
		}
		tell("asked", values(call.SenderPID, unix.Gettid() == waiting),
			"process %d calls me back and asks %q, on thread %d, which is waiting for its answer", call.SenderPID, question, unix.Gettid())
		return new(ipc.Parcel).WriteString(fmt.Sprintf("process %d", os.Getpid())), nil
	})
	reply, err := c.desk.Call(deskAsk, new(ipc.Parcel).WriteObject(listener))
	if err != nil {
		return err
	}
	defer reply.Close()
	answer, err := reply.ReadString()
	if err != nil {
		return err
	}
	tell("answer", values(answer), "and here is the answer to my own call: %q", answer)
	return nil
}

func (c *client) open() error {
	reply, err := c.desk.Call(deskFile, new(ipc.Parcel))
	if err != nil {
		return err
	}
	defer reply.Close()
	f, err := reply.ReadFile()
	if err != nil {
		return err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	tell("file", values(string(content)), "I got descriptor %d, and it reads %q", f.Fd(), content)
	return nil
}

func (c *client) watch() error {
	err := c.desk.OnDeath(func() {
		tell("died", nil, "the driver notifies me that handle %d has died", c.desk.Handle())
	})
	if err != nil {
		return err
	}
	tell("watching", nil, "I ask the driver to notify me when handle %d dies", c.desk.Handle())
	return nil
}

// callDead calls the dead service.
func (c *client) callDead() error {
	_, err := c.desk.Call(deskAdd, new(ipc.Parcel).WriteInt32(40).WriteInt32(2))
	if !errors.Is(err, ipc.ErrDead) {
		return fmt.Errorf("calling the dead service: %w", err)
	}
	tell("refused", nil, "I call it anyway, and get: %v", err)
	return nil
}
