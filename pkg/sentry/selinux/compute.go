// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package selinux

import "strings"

// Class is a kind of object. Applications know classes by name: selinuxfs tells them the
// number.
type Class uint16

// ClassProcess is the class of tasks.
const ClassProcess Class = 2

// ClassInfo describes a Class.
type ClassInfo struct {
	Name string

	// Permissions are those that applications look up by name. The first is bit 0 of an
	// access vector.
	Permissions []string
}

// Classes holds the classes in the order of their numbers, from 1 on: first those that
// Linux itself checks, without permissions, then those that Android's user space checks.
var Classes = []ClassInfo{
	{Name: "security"},
	{Name: "process"},
	{Name: "system"},
	{Name: "capability"},
	{Name: "filesystem"},
	{Name: "file"},
	{Name: "dir"},
	{Name: "fd"},
	{Name: "lnk_file"},
	{Name: "chr_file"},
	{Name: "blk_file"},
	{Name: "sock_file"},
	{Name: "fifo_file"},
	{Name: "socket"},
	{Name: "tcp_socket"},
	{Name: "udp_socket"},
	{Name: "rawip_socket"},
	{Name: "node"},
	{Name: "netif"},
	{Name: "netlink_socket"},
	{Name: "packet_socket"},
	{Name: "key_socket"},
	{Name: "unix_stream_socket"},
	{Name: "unix_dgram_socket"},
	{Name: "property_service", Permissions: []string{"set"}},
	{Name: "service_manager", Permissions: []string{"add", "find", "list"}},
	{Name: "hwservice_manager", Permissions: []string{"add", "find", "list"}},
}

// active returns whether objects of the class are tasks, or have the label of the task
// that created them.
func (c Class) active() bool {
	if c == ClassProcess {
		return true
	}
	return c >= 1 && int(c) <= len(Classes) && strings.HasSuffix(Classes[c-1].Name, "socket")
}

// execSuffix ends the types of files whose execution gives a task the type before it.
const execSuffix = "_exec"

// Create returns the context of a new object of the class. A task with the context
// source creates it from an object with the context target, or in it: a process from an
// executable file, a file in a directory.
//
// Errors: EINVAL if either is not a security context.
func Create(source, target string, class Class) (string, error) {
	s, t, err := parseBoth(source, target)
	if err != nil {
		return "", err
	}
	c := compute(&s, &t, class)
	if class == ClassProcess {
		if name, ok := strings.CutSuffix(t.typ, execSuffix); ok && name != "" {
			c.typ = name
		}
	}
	return c.String(), nil
}

// Relabel returns the context to which an object of the class with the context target
// is relabeled for a user with the context source.
//
// Errors: EINVAL if either is not a security context.
func Relabel(source, target string, class Class) (string, error) {
	s, t, err := parseBoth(source, target)
	if err != nil {
		return "", err
	}
	c := compute(&s, &t, class)
	return c.String(), nil
}

// Member returns the context of a task's instance of a polyinstantiated object of the
// class. The task has the context source, the object the context target.
//
// Errors: EINVAL if either is not a security context.
func Member(source, target string, class Class) (string, error) {
	s, t, err := parseBoth(source, target)
	if err != nil {
		return "", err
	}
	c := compute(&s, &t, class)
	c.user = t.user
	c.high = c.low
	return c.String(), nil
}

func parseBoth(source, target string) (s, t parsed, err error) {
	if s, err = parse(source); err == nil {
		t, err = parse(target)
	}
	return s, t, err
}

// compute returns what SELinux computes if no rule matches the two types: tasks and
// sockets get the context of their creator, other objects that of what they are in, at
// its level.
func compute(source, target *parsed, class Class) parsed {
	if class.active() {
		return *source
	}
	return parsed{user: source.user, role: "object_r", typ: target.typ, low: source.low, high: source.low}
}
