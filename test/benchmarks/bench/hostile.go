// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/test/benchmarks/peer"
)

// outcome is the result of one turn: calls alone, and then beside other processes.
type outcome struct {
	Attack string

	// Alone is without an attacker, Control beside as many threads that only make
	// system calls, Making while the attacker creates what it attacks with, and
	// Acting while it attacks.
	Alone, Control, Making, Acting calledFor

	// Rounds is how many rounds of Attack there were meanwhile, with this many
	// Objects each.
	Rounds, Objects uint64

	// Refused is how often the attacker met its limit: the driver had no memory for
	// it.
	Refused uint64
}

// calledFor is how long calls took, in microseconds.
type calledFor struct {
	Calls         int
	P50, P99, Max float64
}

// settle is the pause between an attack and the next turn, so that neither is
// measured with the other.
const settle = 500 * time.Millisecond

// hostile measures calls of 128 bytes between two well-behaved processes while
// another one misbehaves: alone, beside the control, and beside the attack, in
// turn. The service holds an object of the attacker's, as services do: one of its
// threads inspects the object from time to time, and another process asks for it.
func hostile() {
	a := findAttack(*attackName)
	var from origin
	var b *board
	if *elsewhere == "" {
		var path string
		b, path = newBoard()
		from = &sameContainer{board: path}
	} else {
		from = otherContainer(*elsewhere)
		b = openBoard(filepath.Join(*elsewhere, "board"))
	}
	server := start("hostile/service", nil, "-n=1")
	defer server.stop()
	client := open()
	client.offer(0, 1) // so that there is always an object to ask for
	bystander := start("hostile/asker", nil)
	defer bystander.stop()

	v := &victim{endpoint: client, data: make([]byte, callBytes)}
	v.measure(*calls/10, nil, nil) // fills caches, and grows what grows only once
	beside := func(a attack) ([phases]calledFor, outcome) {
		b.reset()
		from.attack(a.name)
		all := v.measure(0, b, &a)
		o := outcome{Attack: a.name, Rounds: b.rounds.Load(), Objects: b.objects.Load(), Refused: b.refused.Load()}
		b.stop.Store(true)
		from.end()
		client.dropAll(0, 1)
		time.Sleep(settle)
		return all, o
	}
	for range *repeats {
		alone := v.measure(*calls, nil, nil)
		controlled, _ := beside(findAttack(a.control()))
		attacked, o := beside(a)
		o.Alone, o.Control, o.Making, o.Acting = alone[idle], controlled[acting], attacked[making], attacked[acting]
		peer.Check(json.NewEncoder(os.Stdout).Encode(o))
	}
}

// callBytes is the size of a call, and of its answer.
const callBytes = 128

// victim is the client of the two well-behaved processes.
type victim struct {
	*endpoint
	data    []byte
	samples [phases][]uint64
}

// measure makes calls: enough of them or, with a board, until there were -calls
// during the attack and as many rounds as the attack needs, or until -limit.
func (v *victim) measure(enough int, b *board, a *attack) [phases]calledFor {
	for i := range v.samples {
		v.samples[i] = v.samples[i][:0]
	}
	tick := startTicks()
	var until time.Time
	begin, now, seen := time.Now(), idle, uint64(0)
	for n := 0; ; n++ {
		before := ticks()
		v.call(0, serviceEcho, v.data, nil)
		took := ticks() - before
		// A call counts as made during the attack if any part of the attack fell
		// into it: a process may end within one call.
		of := now
		if b != nil {
			if rounds := b.rounds.Load(); rounds != seen {
				of, seen = acting, rounds
			}
			now = b.phase.Load()
			of = max(of, now)
		}
		v.samples[of] = append(v.samples[of], took)
		if b == nil {
			if n == enough {
				break
			}
			continue
		}
		if n%16 != 0 {
			continue
		}
		if until.IsZero() && now == acting {
			until = time.Now().Add(*limit)
		}
		rounds := b.rounds.Load()
		switch {
		case a.exits && rounds >= exitsInTurn, !a.exits && rounds > 0 && len(v.samples[acting]) >= *calls:
		case !a.exits && !until.IsZero() && time.Now().After(until):
		case time.Since(begin) > patience:
			fmt.Fprintf(os.Stderr, "%s: gave up after %v, with %d rounds and %d calls during the attack\n",
				a.name, patience, rounds, len(v.samples[acting]))
		default:
			continue
		}
		break
	}
	unit := tick()
	var all [phases]calledFor
	for i, samples := range v.samples {
		if len(samples) != 0 {
			t := timingOf(samples, unit)
			all[i] = calledFor{Calls: len(samples), P50: t.P50, P99: t.P99, Max: t.Max}
		}
	}
	return all
}

const (
	// exitsInTurn is the least number of processes that end in a turn.
	exitsInTurn = 2

	// patience is how long an attacker may take to prepare, and to attack.
	patience = 5 * time.Minute
)

// origin is where an attacker runs.
type origin interface {
	attack(name string)
	// end waits for the attacker, which was asked to end.
	end()
}

// sameContainer runs the attacker in this container.
type sameContainer struct {
	board string
	*process
}

func (s *sameContainer) attack(name string) {
	s.process = start("hostile/attacker", nil, "-attack="+name, "-board="+s.board)
}

func (s *sameContainer) end() { s.finish(patience) }

// otherContainer returns the origin of attacks from a neighbouring container.
func otherContainer(dir string) origin {
	n := &neighbourhood{}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "answers")); err == nil {
			break
		} else if time.Now().After(deadline) {
			peer.Fail("no neighbour came up: %v", err)
		}
	}
	n.requests, n.answers = openFIFO(dir, "requests"), bufio.NewScanner(openFIFO(dir, "answers"))
	return n
}

// neighbourhood asks for attacks and for their ends, one per line. The answer to
// each is an empty line.
type neighbourhood struct {
	requests *os.File
	answers  *bufio.Scanner
}

func openFIFO(dir, name string) *os.File {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	peer.Check(err)
	return f
}

func (n *neighbourhood) attack(name string) { n.ask(name) }
func (n *neighbourhood) end()               { n.ask("") }

func (n *neighbourhood) ask(line string) {
	_, err := fmt.Fprintln(n.requests, line)
	peer.Check(err)
	if !n.answers.Scan() {
		peer.Fail("the neighbour is gone: %v", n.answers.Err())
	}
}

// neighbour is the role of a process in another container that starts attackers
// there. Each of them gets a new service of its own to use, unless the containers
// share the device: then they use the victims' service.
func neighbour() {
	board := filepath.Join(*elsewhere, "board")
	peer.Check(os.WriteFile(board, make([]byte, boardSize), 0o600))
	for _, name := range []string{"requests", "answers"} {
		peer.Check(unix.Mkfifo(filepath.Join(*elsewhere, name), 0o600))
	}
	requests, answers := bufio.NewScanner(openFIFO(*elsewhere, "requests")), openFIFO(*elsewhere, "answers")
	for requests.Scan() {
		name := requests.Text()
		var server *process
		if !*together {
			server = start("hostile/service", nil)
		}
		here := &sameContainer{board: board}
		here.attack(name)
		fmt.Fprintln(answers)
		requests.Scan()
		here.end()
		server.end()
		fmt.Fprintln(answers)
	}
}
