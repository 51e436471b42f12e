// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// attackKind is an attack that calls are measured beside.
type attackKind struct {
	letter string

	// name is what the program calls it.
	name string

	// does is what its rounds are.
	does string

	// sharing says that the attack needs a device that its victims share.
	sharing bool
}

var attackKinds = []attackKind{
	{letter: "a", name: "exit with nodes", does: "exits"},
	{letter: "b", name: "exit with references", does: "exits"},
	{letter: "b", name: "exit with references to the service's nodes", does: "exits", sharing: true},
	{letter: "c", name: "node debug information on 4 threads", does: "nodes"},
	{letter: "d", name: "threads that come and go, on 4 threads", does: "threads"},
	{letter: "e", name: "read all logs", does: "logs"},
	{letter: "f", name: "freeze and thaw", does: "freezes"},
	{letter: "g", name: "open and close devices", does: "opens"},
	{letter: "h", name: "fragment a mapping", does: "buffers"},
	{letter: "i", name: "death notifications", does: "dropped"},
	{letter: "i", name: "death notifications of the service's nodes", does: "dropped", sharing: true},
	// Not an attack on the driver, but what an attack does to others if the driver takes
	// no part in it.
	{letter: "z", name: "compute", does: "reads"},
}

// Places in which the attacker is in another container than its victims.
const (
	pod       place = "systrap, two containers"
	podOneCPU place = pod + oneCPU

	// Here the containers share a device, in binderfs.
	together       place = "systrap, two containers that share binderfs"
	togetherOneCPU place = together + oneCPU
)

var hostilePlaces = []place{systrap, systrapOneCPU, pod, podOneCPU, together, togetherOneCPU, oracleCOneCPU, oracleROneCPU}

// ours returns whether the place has this driver.
func (p place) ours() bool { return strings.HasPrefix(string(p), string(systrap)) }

// attackRow summarizes all turns of an attack in a place.
type attackRow struct {
	Place  place
	Attack string
	Does   string
	Turns  []turn

	// These are medians of the turns' figures: for calls alone, beside as many
	// threads that only make system calls, while the attacker creates what it
	// attacks with, and during the attack.
	Alone, Control, Making, Acting called

	// Rounds and Objects are the fewest of any turn.
	Rounds, Objects uint64

	// Refused is the most requests of the attacker, in any turn, that failed for
	// lack of memory.
	Refused uint64

	// OfAlone and OfControl are the medians of the turns' ratios of Acting to Alone
	// and Control.
	OfAlone, OfControl ratios
}

type ratios struct{ P99, Max float64 }

// turn is what the program reports of calls alone and then beside an attack.
type turn struct {
	Attack                         string
	Alone, Control, Making, Acting called
	Rounds, Objects, Refused       uint64
}

// called is how long calls took, in microseconds.
type called struct {
	Calls         int
	P50, P99, Max float64
}

// accountLimit is the annotation that limits how much the driver may keep for a
// container.
const accountLimit = "dev.sentrybinder.memory"

func accountBytes() string { return fmt.Sprint(*memoryLimit) }

// hostile measures all attacks in all places. Each gets a new sandbox, in which
// calls are made alone and beside the attack in turn.
func hostile() ([]*attackRow, error) {
	var rows []*attackRow
	var errs []error
	for _, p := range hostilePlaces {
		if *at != "" && !slices.Contains(strings.Split(*at, ";"), string(p)) {
			continue
		}
		for _, k := range attackKinds {
			if k.sharing && (p == pod || p == podOneCPU) || *only != "" && !strings.Contains(*only, k.letter) {
				continue
			}
			begin := time.Now()
			turns, err := p.attack(k.name)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", p, k.name, err))
			}
			if len(turns) == 0 {
				continue
			}
			row := &attackRow{Place: p, Attack: k.name, Does: k.does, Turns: turns}
			row.summarize()
			rows = append(rows, row)
			fmt.Fprintf(os.Stderr, "%s: %s: p99 %.2f and maximum %.2f times those alone; %.0f s\n", p, k.name, row.OfAlone.P99, row.OfAlone.Max, time.Since(begin).Seconds())
		}
	}
	return rows, errors.Join(errs...)
}

// attack runs the program beside one attack.
func (p place) attack(name string) ([]turn, error) {
	args := []string{"-attack=" + name, fmt.Sprint("-repeats=", *turns), count(1_000_000)}
	if *short {
		args = append(args, "-count=10000", "-calls=2000", "-limit=2s", "-repeats=1")
	}
	var stdout, stderr bytes.Buffer
	err := p.runHostile(args, &stdout, &stderr)
	turns, decodeErr := decodeAll[turn](&stdout)
	if decodeErr != nil {
		return turns, errors.Join(err, decodeErr)
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	} else if err = checkTurns(turns); err != nil {
		return turns, err
	} else if stderr.Len() != 0 {
		fmt.Fprintf(os.Stderr, "%s: %s: %s", p, name, stderr.String())
	}
	return turns, err
}

// checkTurns returns an error if the attacker did nothing in one of the turns.
func checkTurns(turns []turn) error {
	for i, t := range turns {
		if t.Rounds == 0 || t.Acting.Calls == 0 {
			return fmt.Errorf("turn %d: %d rounds, %d calls during the attack", i, t.Rounds, t.Acting.Calls)
		}
	}
	return nil
}

func (p place) runHostile(args []string, stdout, stderr *bytes.Buffer) error {
	program := append([]string{"build/bench/bench"}, append(args, "hostile")...)
	var cmd *exec.Cmd
	switch p {
	case pod, podOneCPU, together, togetherOneCPU:
		return runInPod(p == podOneCPU || p == togetherOneCPU, p == together || p == togetherOneCPU, program, stdout, stderr)
	case oracleCOneCPU, oracleROneCPU:
		if cmd = p.command(program...); cmd == nil {
			return nil
		}
		// A million objects need more memory and time than a test.
		i := slices.Index(cmd.Args, "--")
		cmd.Args = slices.Insert(cmd.Args, slices.Index(cmd.Args[i:], "--")+i, "-m", "4G", "-t", "3600")
	default:
		cmd = p.command(append([]string{"--annotation", accountLimit + "=" + accountBytes()}, program...)...)
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd.Run()
}

// summarize computes the row from its turns.
func (r *attackRow) summarize() {
	of := func(part func(turn) called) called {
		var all called
		for what, to := range map[*float64]func(called) float64{
			&all.P50: func(c called) float64 { return c.P50 },
			&all.P99: func(c called) float64 { return c.P99 },
			&all.Max: func(c called) float64 { return c.Max },
		} {
			var figures []float64
			for _, t := range r.Turns {
				if c := part(t); c.Calls != 0 {
					figures = append(figures, to(c))
				}
			}
			if len(figures) != 0 {
				*what = median(figures)
			}
		}
		for _, t := range r.Turns {
			all.Calls += part(t).Calls
		}
		return all
	}
	r.Alone = of(func(t turn) called { return t.Alone })
	r.Control = of(func(t turn) called { return t.Control })
	r.Making = of(func(t turn) called { return t.Making })
	r.Acting = of(func(t turn) called { return t.Acting })
	r.Rounds, r.Objects = r.Turns[0].Rounds, r.Turns[0].Objects
	for _, t := range r.Turns {
		r.Rounds, r.Objects = min(r.Rounds, t.Rounds), min(r.Objects, t.Objects)
		r.Refused = max(r.Refused, t.Refused)
	}
	ratiosTo := func(part func(turn) called) ratios {
		var acting, other [2][]float64
		for _, t := range r.Turns {
			acting[0], acting[1] = append(acting[0], t.Acting.P99), append(acting[1], t.Acting.Max)
			other[0], other[1] = append(other[0], part(t).P99), append(other[1], part(t).Max)
		}
		return ratios{medianRatio(acting[0], other[0]), medianRatio(acting[1], other[1])}
	}
	r.OfAlone = ratiosTo(func(t turn) called { return t.Alone })
	r.OfControl = ratiosTo(func(t turn) called { return t.Control })
}

// worst returns the highest ratios of any attack in a place, or 0.
func (b *benchmark) worst(p place) (p99, most float64) {
	for _, r := range b.Attacks {
		if r.Place == p {
			p99, most = max(p99, r.OfAlone.P99), max(most, r.OfAlone.Max)
		}
	}
	return p99, most
}

// attacksTable returns a table of attacks, in microseconds.
func attacksTable(rows []*attackRow) string {
	var s strings.Builder
	s.WriteString("Figures are medians over the turns: for calls alone, beside as many threads as the attacker's that only make system calls (the control), " +
		"while the attacker creates what it attacks with (making), and during the attack. Ratios are medians of each turn's ratios. " +
		"What the attacker did, and with how many objects, is the least of any turn; refused is the most of its requests in a turn that failed for lack of memory; calls are those made during the attack, in all turns.\n\n")
	s.WriteString("| where | attack | with | did | refused | calls | alone: p99 | max | control: p99 | max | making: p99 | max | attack: p50 | p99 | max | p99: of alone | of control | max: of alone | of control |\n")
	s.WriteString("| --- | --- | ---: | --- |" + strings.Repeat(" ---: |", 15) + "\n")
	for _, r := range rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %d %s | %d | %d |", r.Place, r.Attack, number(float64(r.Objects)), r.Rounds, r.Does, r.Refused, r.Acting.Calls)
		for _, x := range []float64{
			r.Alone.P99, r.Alone.Max, r.Control.P99, r.Control.Max, r.Making.P99, r.Making.Max, r.Acting.P50, r.Acting.P99, r.Acting.Max,
			r.OfAlone.P99, r.OfControl.P99, r.OfAlone.Max, r.OfControl.Max,
		} {
			fmt.Fprintf(&s, " %s |", number(x))
		}
		s.WriteString("\n")
	}
	return s.String()
}
