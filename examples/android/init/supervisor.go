// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restartPeriod is the minimum time between two starts of a service, as on Android.
const restartPeriod = 5 * time.Second

// supervisor starts services, and restarts those that exit.
type supervisor struct {
	services []*service

	mu      sync.Mutex
	running map[*service]process // guarded by mu
}

// process is a running service.
type process struct {
	pid     int
	started time.Time
}

func newSupervisor(services []*service) *supervisor {
	return &supervisor{services: services, running: map[*service]process{}}
}

// startEnabled starts all services except those that start on demand.
func (s *supervisor) startEnabled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, svc := range s.services {
		if !svc.disabled {
			if err := s.startLocked(svc); err != nil {
				return err
			}
		}
	}
	return nil
}

// startLocked starts a service unless it is running. s.mu is held: reap must not see a
// process exit before it is in s.running.
func (s *supervisor) startLocked(svc *service) error {
	if _, ok := s.running[svc]; ok {
		return nil
	}
	pid, err := syscall.ForkExec(svc.args[0], svc.args, &syscall.ProcAttr{
		Env:   slices.Concat(os.Environ(), svc.env),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: svc.uid, Gid: svc.uid}},
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", svc.name, err)
	}
	s.running[svc] = process{pid, time.Now()}
	return nil
}

// set handles a property that a program sets. The service manager sets
// ctl.interface_start to the name of an interface that somebody waits for; no other
// property matters here.
func (s *supervisor) set(name, value string) error {
	if name != "ctl.interface_start" {
		return nil
	}
	for _, svc := range s.services {
		if slices.Contains(svc.interfaces, value) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.startLocked(svc)
		}
	}
	return fmt.Errorf("no service provides %s", value)
}

// reap waits for processes to exit, including orphans of any kind. It returns only if
// nothing is left to wait for.
func (s *supervisor) reap() error {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("waiting for services: %w", err)
		}
		s.ended(pid)
	}
}

// ended handles the exit of a process: if it was a service, it restarts it unless it is
// oneshot.
func (s *supervisor) ended(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for svc, p := range s.running {
		if p.pid != pid {
			continue
		}
		delete(s.running, svc)
		if svc.oneshot {
			return
		}
		log.Printf("%s has exited; restarting it", svc.name)
		time.AfterFunc(restartPeriod-time.Since(p.started), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if err := s.startLocked(svc); err != nil {
				log.Print(err)
			}
		})
		return
	}
}
