// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// hung is how long the director waits for anything to happen before it gives up. The play
// takes a fraction of a second.
const hung = 40 * time.Second

// stage is where the play takes place.
type stage struct {
	ctx   context.Context
	hung  *time.Timer // ends ctx once nothing has happened for that long
	cast  []*actor
	steps int

	// err is the first failed expectation. Once it is set, nothing more happens.
	err error

	out io.Writer
}

// actor is a process that plays a role.
type actor struct {
	stage  *stage
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	events chan event

	// seen holds events that came before the one that the director was waiting for.
	seen []event
}

// direct runs the play, shows it on out, and returns the first failed expectation.
func direct(out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &stage{ctx: ctx, hung: time.AfterFunc(hung, cancel), out: out}
	s.play()
	// The end of the context kills actors that are still on stage.
	cancel()
	for _, a := range s.cast {
		_ = a.cmd.Wait()
	}
	if s.err == nil {
		s.printf("\nAll %d steps happened.\n", s.steps)
	}
	return s.err
}

func (s *stage) play() {
	s.step("A service manager takes the device")
	manager := s.enter("manager", "manager")
	manager.await("ready")

	s.step("A service registers with it")
	service := s.enter("service", "service")
	manager.await("added", deskName, service.pid(), strconv.Itoa(os.Geteuid()))
	service.await("ready")

	s.step("Two clients look the service up")
	ann := s.enter("ann", "client")
	bob := s.enter("bob", "client")
	for _, client := range []*actor{ann, bob} {
		client.do("find")
		manager.await("found", deskName, client.pid())
		client.await("found")
		client.await("done")
	}

	s.step("A synchronous call")
	ann.do("add")
	service.await("added", "40", "2", ann.pid())
	ann.await("sum", "42")
	ann.await("done")

	s.step("Two calls at a time, each held until the other has arrived")
	ann.do("meet")
	bob.do("meet")
	service.await("spawned")
	annsThread := ann.await("met")
	bobsThread := bob.await("met")
	if slices.Equal(annsThread, bobsThread) {
		s.fail(fmt.Errorf("thread %v served both clients at once", annsThread))
	}
	ann.await("done")
	bob.await("done")

	s.step("One-way calls")
	bob.do("note")
	service.await("holding", "one", "true")
	bob.await("sent")
	bob.await("done")
	ann.do("read")
	service.await("notes", "one, two, three")
	ann.await("notes", "one, two, three")
	ann.await("done")

	s.step("A callback into a waiting client")
	bob.do("ask")
	service.await("asking", bob.pid())
	bob.await("asked", service.pid(), "true")
	service.await("answered", "process "+bob.pid())
	bob.await("answer", "process "+bob.pid())
	bob.await("done")

	s.step("A file descriptor")
	ann.do("open")
	secret := service.await("file")
	ann.await("file", secret...)
	ann.await("done")

	s.step("The service is killed, and whoever asked is notified")
	ann.do("watch")
	ann.await("watching")
	ann.await("done")
	service.kill()
	ann.await("died")
	manager.await("forgotten", deskName)
	ann.do("call dead")
	ann.await("refused")
	ann.await("done")
	bob.do("miss")
	manager.await("not found", deskName, bob.pid())
	bob.await("missed")
	bob.await("done")

	s.step("The clients leave")
	ann.leave()
	bob.leave()
}

// fail ends the play.
func (s *stage) fail(err error) {
	if s.err == nil && err != nil {
		s.err = err
	}
}

// step announces the next step of the play.
func (s *stage) step(title string) {
	if s.err == nil {
		s.steps++
		s.printf("\n%d. %s\n", s.steps, title)
	}
}

// show prints what an actor says.
func (s *stage) show(who, text string) { s.printf("   %-9s %s\n", who, text) }

func (s *stage) printf(format string, args ...any) {
	fmt.Fprintf(s.out, format, args...)
}

// enter runs this program in a role, under the actor's name.
func (s *stage) enter(name, role string) *actor {
	a := &actor{stage: s, name: name, events: make(chan event, 100)}
	if s.err != nil {
		return a
	}
	self, err := os.Executable()
	if err != nil {
		s.fail(err)
		return a
	}
	a.cmd = exec.CommandContext(s.ctx, self, role)
	a.cmd.Stderr = os.Stderr
	stdin, err1 := a.cmd.StdinPipe()
	stdout, err2 := a.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		s.fail(err)
		return a
	}
	a.stdin = stdin
	if err := a.cmd.Start(); err != nil {
		s.fail(err)
		return a
	}
	s.cast = append(s.cast, a)
	go a.listen(stdout)
	return a
}

// listen passes the actor's events on to the director until the actor's output ends.
func (a *actor) listen(stdout io.Reader) {
	defer close(a.events)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Name: "error", Text: lines.Text()}
		}
		select {
		case a.events <- e:
		case <-a.stage.ctx.Done():
			return
		}
	}
}

// pid returns the PID of the actor's process, as text.
func (a *actor) pid() string {
	if a.stage.err != nil {
		return ""
	}
	return strconv.Itoa(a.cmd.Process.Pid)
}

// do tells a client what to do next.
func (a *actor) do(action string) {
	if a.stage.err == nil {
		_, err := io.WriteString(a.stdin, action+"\n")
		a.stage.fail(err)
	}
}

// await waits for an event, which may have come already, and returns its values. If want
// is given, they must equal it.
func (a *actor) await(name string, want ...string) []string {
	if a.stage.err != nil {
		return nil
	}
	e, ok := a.take(name)
	if !ok {
		a.stage.fail(fmt.Errorf("%s exited, or did nothing for %v, without saying %q", a.name, hung, name))
	} else if len(want) != 0 && !slices.Equal(e.Values, want) {
		a.stage.fail(fmt.Errorf("%s said %q for %q: want %q", a.name, e.Values, name, want))
	}
	return e.Values
}

// take waits for an event. It returns false if the actor exits without it.
func (a *actor) take(name string) (event, bool) {
	is := func(e event) bool { return e.Name == name }
	if i := slices.IndexFunc(a.seen, is); i >= 0 {
		e := a.seen[i]
		a.seen = slices.Delete(a.seen, i, i+1)
		return e, true
	}
	for e := range a.events {
		a.stage.hung.Reset(hung)
		// Events are shown as the director gets to them, so that causes precede effects.
		if e.Text != "" {
			a.stage.show(a.name, e.Text)
		}
		if is(e) {
			return e, true
		}
		a.seen = append(a.seen, e)
	}
	return event{}, false
}

// kill kills the actor with SIGKILL and waits for it to die.
func (a *actor) kill() {
	if a.stage.err != nil {
		return
	}
	a.stage.show("director", "I kill process "+a.pid())
	if err := a.cmd.Process.Kill(); err != nil {
		a.stage.fail(err)
		return
	}
	for range a.events {
		// Drop what the actor said before.
	}
	var exit *exec.ExitError
	if err := a.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		a.stage.fail(fmt.Errorf("%s was killed, but exited with %v", a.name, err))
	}
}

// leave lets a client exit, and expects it to do so without another event.
func (a *actor) leave() {
	if a.stage.err != nil {
		return
	}
	a.stage.fail(a.stdin.Close())
	for e := range a.events {
		a.stage.fail(fmt.Errorf("%s said %q instead of leaving", a.name, e.Name))
	}
	if err := a.cmd.Wait(); err != nil {
		a.stage.fail(fmt.Errorf("%s exited with %w", a.name, err))
		return
	}
	a.stage.show(a.name, "bye")
}
