// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Command init is the container's first process, a small stand-in for Android's init: it
// sets up Binder's devices like Android's, starts the services of an rc file, and starts
// others when the service manager asks for them.
//
//	init FILE
//
// It exits, and ends the container, when it receives SIGTERM.
package main

import (
	"log"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("init: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: init FILE")
	}
	log.Fatal(run(os.Args[1]))
}

// run starts what file says, and returns only with an error.
func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	services, err := parse(string(text))
	if err != nil {
		return err
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, unix.SIGTERM)
	go func() {
		<-terminate
		os.Exit(0)
	}()

	if err := makeDevices(); err != nil {
		return err
	}
	s := newSupervisor(services)
	if err := serveProperties(s.set); err != nil {
		return err
	}
	if err := s.startEnabled(); err != nil {
		return err
	}
	return s.reap()
}
