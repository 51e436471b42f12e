// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

const (
	schedNormal      = 0
	schedFIFO        = 1
	schedRR          = 2
	schedBatch       = 3
	schedIdle        = 5
	schedDeadline    = 6
	schedResetOnFork = 1 << 30
)

// schedPolicies are the policies that a task can have without a reservation of time.
var schedPolicies = []int{schedNormal, schedFIFO, schedRR, schedBatch, schedIdle}

func schedRealTime(policy int) bool { return policy == schedFIFO || policy == schedRR }

// somePriority returns a valid priority for policy.
func somePriority(policy int) int {
	if schedRealTime(policy) {
		return 7
	}
	return 0
}

// schedValid returns whether priority is valid for policy.
func schedValid(policy, priority int) bool {
	if schedRealTime(policy) {
		return 1 <= priority && priority <= 99
	}
	return priority == 0
}

// A schedTask is a thread of another process, which makes system calls.
type schedTask struct {
	t *testing.T
	*remote.Thread
}

func newSchedTask(t *testing.T) schedTask {
	return schedTask{t, remote.NewProcess(t).Thread}
}

// setScheduler calls sched_setscheduler for the task who, or for itself if that is 0.
func (s schedTask) setScheduler(who, policy, priority int) error {
	*remote.Struct[int32](s.Scratch()) = int32(priority)
	_, err := s.Call(s.t, unix.SYS_SCHED_SETSCHEDULER, uintptr(who), uintptr(policy), s.Scratch())
	return err
}

// setParam calls sched_setparam.
func (s schedTask) setParam(who, priority int) error {
	*remote.Struct[int32](s.Scratch()) = int32(priority)
	_, err := s.Call(s.t, unix.SYS_SCHED_SETPARAM, uintptr(who), s.Scratch())
	return err
}

// setAttr calls sched_setattr.
func (s schedTask) setAttr(who int, attr unix.SchedAttr) error {
	attr.Size = unix.SizeofSchedAttr
	*remote.Struct[unix.SchedAttr](s.Scratch()) = attr
	_, err := s.Call(s.t, unix.SYS_SCHED_SETATTR, uintptr(who), s.Scratch(), 0)
	return err
}

// attr returns the thread's sched_getattr, without its time slice, which only Linux
// knows.
func (s schedTask) attr() unix.SchedAttr {
	s.t.Helper()
	attr, err := unix.SchedGetAttr(s.TID(), 0)
	require.NoError(s.t, err)
	require.EqualValues(s.t, unix.SizeofSchedAttr, attr.Size)
	attr.Size, attr.Runtime = 0, 0
	return *attr
}

func (s schedTask) setNice(nice int) {
	s.t.Helper()
	s.Must(s.t, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(nice))
}

// setLimit sets a resource limit of the thread.
func (s schedTask) setLimit(resource int, limit uint64) {
	s.t.Helper()
	require.NoError(s.t, unix.Prlimit(s.TID(), resource, &unix.Rlimit{Cur: limit, Max: limit}, nil))
}

// setUser drops all privileges.
func (s schedTask) setUser(uid int) {
	s.t.Helper()
	s.Must(s.t, unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
}

// expect checks what every interface reports about the thread. policy includes
// schedResetOnFork.
func (s schedTask) expect(policy, priority, nice int) {
	s.t.Helper()
	s.expectCalls(policy, priority, nice)
	s.expectStat(policy, priority, nice)
}

// expectCalls checks what system calls report about the thread.
func (s schedTask) expectCalls(policy, priority, nice int) {
	s.t.Helper()
	for _, who := range []uintptr{0, uintptr(s.TID())} {
		require.EqualValues(s.t, policy, s.Must(s.t, unix.SYS_SCHED_GETSCHEDULER, who))
		param := remote.Struct[int32](s.Scratch())
		*param = -1
		s.Must(s.t, unix.SYS_SCHED_GETPARAM, who, s.Scratch())
		require.EqualValues(s.t, priority, *param)
	}
	want := unix.SchedAttr{Policy: uint32(policy &^ schedResetOnFork), Priority: uint32(priority)}
	if policy&schedResetOnFork != 0 {
		want.Flags = unix.SCHED_FLAG_RESET_ON_FORK
	}
	if priority == 0 {
		want.Nice = int32(nice)
	}
	require.Equal(s.t, want, s.attr())
	require.EqualValues(s.t, 20-nice, s.Must(s.t, unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0))
}

// expectStat checks what /proc/pid/stat reports about the thread, which is a main thread.
func (s schedTask) expectStat(policy, priority, nice int) {
	s.t.Helper()
	// From the third field on.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.TID()))
	require.NoError(s.t, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	field := func(n int) int {
		value, err := strconv.Atoi(fields[n-3])
		require.NoError(s.t, err)
		return value
	}
	prio := nice + 20
	if priority != 0 {
		prio = -1 - priority
	}
	require.Equal(s.t, prio, field(18), "priority")
	require.Equal(s.t, nice, field(19), "nice")
	require.Equal(s.t, priority, field(40), "rt_priority")
	require.Equal(s.t, policy&^schedResetOnFork, field(41), "policy")
}

// A task that never set a policy has the default.
func TestSchedDefault(t *testing.T) {
	newSchedTask(t).expect(schedNormal, 0, 0)
}

func TestSchedPriorityLimits(t *testing.T) {
	for policy, want := range map[int][2]int{
		schedNormal: {0, 0}, schedFIFO: {1, 99}, schedRR: {1, 99}, schedBatch: {0, 0},
		schedIdle: {0, 0}, schedDeadline: {0, 0},
	} {
		for i, call := range []uintptr{unix.SYS_SCHED_GET_PRIORITY_MIN, unix.SYS_SCHED_GET_PRIORITY_MAX} {
			got, _, errno := unix.Syscall(call, uintptr(policy), 0, 0)
			require.Zero(t, errno, "policy %d", policy)
			require.EqualValues(t, want[i], got, "policy %d", policy)
		}
	}
	for _, policy := range []int{4, 8, 16, -1, schedFIFO | schedResetOnFork} {
		for _, call := range []uintptr{unix.SYS_SCHED_GET_PRIORITY_MIN, unix.SYS_SCHED_GET_PRIORITY_MAX} {
			_, _, errno := unix.Syscall(call, uintptr(policy), 0, 0)
			require.Equal(t, unix.EINVAL, errno, "policy %d", policy)
		}
	}
}

// Every policy can follow every other, with any of the calls that set one, for the thread
// itself and for another.
func TestSchedSet(t *testing.T) {
	task, setter := newSchedTask(t), newSchedTask(t)
	task.setNice(-3)
	for _, from := range schedPolicies {
		for _, to := range schedPolicies {
			require.NoError(t, task.setScheduler(0, from, somePriority(from)))
			task.expect(from, somePriority(from), -3)
			require.NoError(t, setter.setScheduler(task.TID(), to|schedResetOnFork, somePriority(to)))
			task.expect(to|schedResetOnFork, somePriority(to), -3)
			require.NoError(t, setter.setAttr(task.TID(), unix.SchedAttr{
				Policy: uint32(from), Priority: uint32(somePriority(from)), Nice: -3}))
			task.expect(from, somePriority(from), -3)
		}
	}
	setter.expect(schedNormal, 0, 0)
}

// Only the fair policies use a nice value; setpriority(2) changes it whatever the policy.
func TestSchedNice(t *testing.T) {
	for _, policy := range schedPolicies {
		task := newSchedTask(t)
		task.setNice(4)
		priority := somePriority(policy)
		require.NoError(t, task.setAttr(0, unix.SchedAttr{Policy: uint32(policy), Priority: uint32(priority), Nice: -30}))
		nice := 4
		if policy == schedNormal || policy == schedBatch {
			nice = -20
		}
		// With SCHED_IDLE, the priority in Linux's /proc/pid/stat is now computed from
		// the nice value that was ignored.
		task.expectCalls(policy, priority, nice)
		task.setNice(-8)
		task.expect(policy, priority, -8)
	}
}

func TestSchedPriorities(t *testing.T) {
	task := newSchedTask(t)
	for _, policy := range schedPolicies {
		for _, priority := range []int{-1, 0, 1, 50, 99, 100, 1 << 30} {
			require.NoError(t, task.setScheduler(0, schedFIFO, 3))
			for _, err := range []error{
				task.setScheduler(0, policy, priority),
				task.setAttr(0, unix.SchedAttr{Policy: uint32(policy), Priority: uint32(priority)}),
			} {
				if !schedValid(policy, priority) {
					require.Equal(t, unix.EINVAL, err, "policy %d, priority %d", policy, priority)
					task.expect(schedFIFO, 3, 0)
					continue
				}
				require.NoError(t, err, "policy %d, priority %d", policy, priority)
				task.expect(policy, priority, 0)
			}
		}
	}
}

func TestSchedInvalid(t *testing.T) {
	task, gone := newSchedTask(t), remote.NewProcess(t)
	gone.Kill(t)
	param := task.Scratch()
	const bad = uintptr(8) // An address.
	for _, tc := range []struct {
		name string
		want unix.Errno
		nr   uintptr
		args []uintptr
	}{
		{"policy 4", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, 4, param}},
		{"policy 8", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, 8, param}},
		{"deadline", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, schedDeadline, param}},
		{"policy -1", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, ^uintptr(0), param}},
		{"no parameter", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, schedNormal, 0}},
		{"bad parameter", unix.EFAULT, unix.SYS_SCHED_SETSCHEDULER, []uintptr{0, schedNormal, bad}},
		{"pid -1", unix.EINVAL, unix.SYS_SCHED_SETSCHEDULER, []uintptr{^uintptr(0), schedNormal, param}},
		{"gone", unix.ESRCH, unix.SYS_SCHED_SETSCHEDULER, []uintptr{uintptr(gone.PID()), schedNormal, param}},
		{"gone, policy 4", unix.ESRCH, unix.SYS_SCHED_SETSCHEDULER, []uintptr{uintptr(gone.PID()), 4, param}},
		{"gone, bad parameter", unix.EFAULT, unix.SYS_SCHED_SETSCHEDULER, []uintptr{uintptr(gone.PID()), schedNormal, bad}},

		{"no parameter", unix.EINVAL, unix.SYS_SCHED_SETPARAM, []uintptr{0, 0}},
		{"bad parameter", unix.EFAULT, unix.SYS_SCHED_SETPARAM, []uintptr{0, bad}},
		{"pid -1", unix.EINVAL, unix.SYS_SCHED_SETPARAM, []uintptr{^uintptr(0), param}},
		{"gone", unix.ESRCH, unix.SYS_SCHED_SETPARAM, []uintptr{uintptr(gone.PID()), param}},

		{"pid -1", unix.EINVAL, unix.SYS_SCHED_GETSCHEDULER, []uintptr{^uintptr(0)}},
		{"gone", unix.ESRCH, unix.SYS_SCHED_GETSCHEDULER, []uintptr{uintptr(gone.PID())}},

		{"no parameter", unix.EINVAL, unix.SYS_SCHED_GETPARAM, []uintptr{0, 0}},
		{"bad parameter", unix.EFAULT, unix.SYS_SCHED_GETPARAM, []uintptr{0, bad}},
		{"pid -1", unix.EINVAL, unix.SYS_SCHED_GETPARAM, []uintptr{^uintptr(0), param}},
		{"gone", unix.ESRCH, unix.SYS_SCHED_GETPARAM, []uintptr{uintptr(gone.PID()), param}},
		{"gone, bad parameter", unix.ESRCH, unix.SYS_SCHED_GETPARAM, []uintptr{uintptr(gone.PID()), bad}},

		{"no interval", unix.EFAULT, unix.SYS_SCHED_RR_GET_INTERVAL, []uintptr{0, 0}},
		{"bad interval", unix.EFAULT, unix.SYS_SCHED_RR_GET_INTERVAL, []uintptr{0, bad}},
		{"pid -1", unix.EINVAL, unix.SYS_SCHED_RR_GET_INTERVAL, []uintptr{^uintptr(0), param}},
		{"gone", unix.ESRCH, unix.SYS_SCHED_RR_GET_INTERVAL, []uintptr{uintptr(gone.PID()), bad}},
	} {
		*remote.Struct[int32](param) = 0
		_, err := task.Call(t, tc.nr, tc.args...)
		require.Equal(t, tc.want, err, "call %d: %s", tc.nr, tc.name)
	}
	for _, tc := range []struct {
		name string
		want unix.Errno
		who  int
		attr unix.SchedAttr
	}{
		{"policy 4", unix.EINVAL, 0, unix.SchedAttr{Policy: 4}},
		{"policy -1", unix.EINVAL, gone.PID(), unix.SchedAttr{Policy: 1<<32 - 1}},
		{"with the flag of the other call", unix.EINVAL, 0, unix.SchedAttr{Policy: schedResetOnFork}},
		{"deadline", unix.EINVAL, 0, unix.SchedAttr{Policy: schedDeadline}},
		{"pid -1", unix.EINVAL, -1, unix.SchedAttr{}},
		{"gone", unix.ESRCH, gone.PID(), unix.SchedAttr{Policy: 4}},
		{"unknown flag", unix.EINVAL, 0, unix.SchedAttr{Flags: 0x100}},
		{"clamp", unix.EOPNOTSUPP, 0, unix.SchedAttr{Flags: unix.SCHED_FLAG_UTIL_CLAMP_MIN}},
	} {
		require.Equal(t, tc.want, task.setAttr(tc.who, tc.attr), "sched_setattr: %s", tc.name)
	}
	task.expect(schedNormal, 0, 0)
}

// sched_setparam changes the priority only.
func TestSchedSetParam(t *testing.T) {
	task, setter := newSchedTask(t), newSchedTask(t)
	for _, policy := range schedPolicies {
		policy |= schedResetOnFork
		base := policy &^ schedResetOnFork
		require.NoError(t, task.setScheduler(0, policy, somePriority(base)))
		for _, priority := range []int{-1, 0, 1, 99, 100} {
			err := setter.setParam(task.TID(), priority)
			if !schedValid(base, priority) {
				require.Equal(t, unix.EINVAL, err, "policy %d, priority %d", base, priority)
				continue
			}
			require.NoError(t, err, "policy %d, priority %d", base, priority)
			task.expect(policy, priority, 0)
		}
	}
}

// The flags of sched_setattr(2) that keep some values.
func TestSchedKeep(t *testing.T) {
	const (
		keepPolicy = unix.SCHED_FLAG_KEEP_POLICY
		keepParams = unix.SCHED_FLAG_KEEP_PARAMS
		reset      = unix.SCHED_FLAG_RESET_ON_FORK
	)
	type state struct{ policy, priority, nice int }
	for _, tc := range []struct {
		name string
		from state
		attr unix.SchedAttr
		want state
		err  error
	}{
		{"policy", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepPolicy, Policy: schedNormal, Priority: 9, Nice: 1},
			state{schedFIFO, 9, 3}, nil},
		{"policy, which is not looked at", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepPolicy, Policy: 4, Priority: 9},
			state{schedFIFO, 9, 3}, nil},
		{"policy, which needs a priority", state{schedRR, 5, 3}, unix.SchedAttr{Flags: keepPolicy},
			state{schedRR, 5, 3}, unix.EINVAL},
		{"policy, and nice changes", state{schedBatch, 0, 3}, unix.SchedAttr{Flags: keepPolicy, Nice: -5},
			state{schedBatch, 0, -5}, nil},
		{"policy, and the flag", state{schedFIFO | schedResetOnFork, 5, 3}, unix.SchedAttr{Flags: keepPolicy, Priority: 5},
			state{schedFIFO | schedResetOnFork, 5, 3}, nil},
		{"policy, and no flag", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepPolicy | reset, Priority: 6},
			state{schedFIFO, 6, 3}, nil},
		{"parameters", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedFIFO, Priority: 9, Nice: 1},
			state{schedFIFO, 5, 3}, nil},
		{"parameters of another policy", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedRR},
			state{schedFIFO, 5, 3}, nil},
		{"parameters that do not fit", state{schedFIFO, 5, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedNormal},
			state{schedFIFO, 5, 3}, unix.EINVAL},
		{"parameters, not a priority", state{schedNormal, 0, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedFIFO},
			state{schedNormal, 0, 3}, unix.EINVAL},
		{"parameters, with a priority", state{schedNormal, 0, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedFIFO, Priority: 5},
			state{schedNormal, 0, 3}, nil},
		{"nice", state{schedNormal, 0, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedBatch, Nice: 9},
			state{schedNormal, 0, 3}, nil},
		{"parameters, and sets the flag", state{schedNormal, 0, 3}, unix.SchedAttr{Flags: keepParams | reset, Nice: 9},
			state{schedNormal | schedResetOnFork, 0, 3}, nil},
		{"parameters, and clears the flag", state{schedRR | schedResetOnFork, 4, 3}, unix.SchedAttr{Flags: keepParams, Policy: schedRR},
			state{schedRR, 4, 3}, nil},
		{"all", state{schedRR | schedResetOnFork, 4, 3}, unix.SchedAttr{Flags: keepPolicy | keepParams, Nice: 9, Priority: 77},
			state{schedRR | schedResetOnFork, 4, 3}, nil},
		{"all of a fair policy", state{schedBatch, 0, 3}, unix.SchedAttr{Flags: keepPolicy | keepParams, Nice: 9},
			state{schedBatch, 0, 3}, nil},
		{"flags that only a deadline knows", state{schedNormal, 0, 3},
			unix.SchedAttr{Flags: unix.SCHED_FLAG_RECLAIM | unix.SCHED_FLAG_DL_OVERRUN, Policy: schedRR, Priority: 2},
			state{schedRR, 2, 3}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			task := newSchedTask(t)
			task.setNice(tc.from.nice)
			require.NoError(t, task.setScheduler(0, tc.from.policy, tc.from.priority))
			require.Equal(t, tc.err, task.setAttr(0, tc.attr))
			task.expect(tc.want.policy, tc.want.priority, tc.want.nice)
		})
	}
}

// A new task inherits its creator's policy, or what a flag makes of it.
func TestSchedFork(t *testing.T) {
	for _, tc := range []struct{ policy, nice, childPolicy, childNice int }{
		{schedNormal, -5, schedNormal, -5},
		{schedFIFO, -5, schedFIFO, -5},
		{schedRR, 5, schedRR, 5},
		{schedBatch, 5, schedBatch, 5},
		{schedIdle, -5, schedIdle, -5},
		{schedNormal | schedResetOnFork, -5, schedNormal, 0},
		{schedNormal | schedResetOnFork, 5, schedNormal, 5},
		{schedFIFO | schedResetOnFork, -5, schedNormal, 0},
		{schedFIFO | schedResetOnFork, 5, schedNormal, 0},
		{schedRR | schedResetOnFork, 5, schedNormal, 0},
		{schedBatch | schedResetOnFork, -5, schedBatch, 0},
		{schedBatch | schedResetOnFork, 5, schedBatch, 5},
		{schedIdle | schedResetOnFork, -5, schedIdle, 0},
		{schedIdle | schedResetOnFork, 5, schedIdle, 5},
	} {
		t.Run(fmt.Sprintf("%#x, nice %d", tc.policy, tc.nice), func(t *testing.T) {
			process := remote.NewProcess(t)
			parent := schedTask{t, process.Thread}
			parent.setNice(tc.nice)
			priority := somePriority(tc.policy &^ schedResetOnFork)
			require.NoError(t, parent.setScheduler(0, tc.policy, priority))
			childPriority := somePriority(tc.childPolicy)
			schedTask{t, process.Fork(t).Thread}.expect(tc.childPolicy, childPriority, tc.childNice)
			thread := process.NewThread(t)
			require.EqualValues(t, tc.childPolicy, thread.Must(t, unix.SYS_SCHED_GETSCHEDULER, 0))
			require.EqualValues(t, 20-tc.childNice, thread.Must(t, unix.SYS_GETPRIORITY, unix.PRIO_PROCESS, 0))
			parent.expect(tc.policy, priority, tc.nice)
		})
	}
}

// Each thread of a process has its own policy.
func TestSchedOfThread(t *testing.T) {
	process := remote.NewProcess(t)
	main, thread := schedTask{t, process.Thread}, schedTask{t, process.NewThread(t)}
	require.NoError(t, main.setScheduler(thread.TID(), schedFIFO, 12))
	main.expect(schedNormal, 0, 0)
	require.EqualValues(t, schedFIFO, thread.Must(t, unix.SYS_SCHED_GETSCHEDULER, 0))
	require.EqualValues(t, 12, thread.attr().Priority)
}

func TestSchedExec(t *testing.T) {
	for _, policy := range []int{schedFIFO, schedIdle, schedBatch | schedResetOnFork, schedRR | schedResetOnFork} {
		process := remote.NewProcess(t)
		task := schedTask{t, process.Thread}
		task.setNice(5)
		priority := somePriority(policy &^ schedResetOnFork)
		require.NoError(t, task.setScheduler(0, policy, priority))
		process.Exec(t)
		task.expect(policy, priority, 5)
	}
}

// Only SCHED_RR's interval is the same everywhere; SCHED_FIFO has none.
func TestSchedInterval(t *testing.T) {
	task, asker := newSchedTask(t), newSchedTask(t)
	interval := remote.Struct[unix.Timespec](asker.Scratch())
	for policy, want := range map[int]int64{schedRR: 100e6, schedFIFO: 0} {
		require.NoError(t, task.setScheduler(0, policy, 1))
		*interval = unix.Timespec{Sec: -1}
		asker.Must(t, unix.SYS_SCHED_RR_GET_INTERVAL, uintptr(task.TID()), asker.Scratch())
		require.Equal(t, want, interval.Nano(), "policy %d", policy)
	}
}

// Without CAP_SYS_NICE, a task can only become less urgent, except for what its limits
// allow.
func TestSchedUnprivileged(t *testing.T) {
	for _, tc := range []struct {
		limit                uint64 // RLIMIT_RTPRIO
		policy, priority     int
		toPolicy, toPriority int
		want                 error
	}{
		{0, schedNormal, 0, schedBatch, 0, nil},
		{0, schedBatch, 0, schedIdle, 0, nil},
		{0, schedIdle, 0, schedIdle, 0, nil},
		// SCHED_IDLE is as if nice were 20.
		{0, schedIdle, 0, schedNormal, 0, unix.EPERM},
		{0, schedIdle, 0, schedBatch, 0, unix.EPERM},
		{0, schedNormal, 0, schedFIFO, 1, unix.EPERM},
		{0, schedNormal, 0, schedRR, 1, unix.EPERM},
		{0, schedNormal, 0, schedFIFO, 0, unix.EINVAL},
		{0, schedFIFO, 5, schedFIFO, 5, nil},
		{0, schedFIFO, 5, schedFIFO, 4, nil},
		{0, schedFIFO, 5, schedFIFO, 6, unix.EPERM},
		{0, schedFIFO, 5, schedRR, 4, unix.EPERM},
		{0, schedFIFO, 5, schedNormal, 0, nil},
		{10, schedNormal, 0, schedFIFO, 10, nil},
		{10, schedNormal, 0, schedRR, 1, nil},
		{10, schedNormal, 0, schedFIFO, 11, unix.EPERM},
		{10, schedFIFO, 50, schedFIFO, 49, nil},
		{10, schedFIFO, 50, schedRR, 50, nil},
		{10, schedFIFO, 50, schedRR, 51, unix.EPERM},
		{10, schedIdle, 0, schedRR, 10, unix.EPERM},
		// The flag can be set but not cleared.
		{0, schedNormal, 0, schedNormal | schedResetOnFork, 0, nil},
		{0, schedNormal | schedResetOnFork, 0, schedBatch | schedResetOnFork, 0, nil},
		{0, schedNormal | schedResetOnFork, 0, schedNormal, 0, unix.EPERM},
		{0, schedFIFO | schedResetOnFork, 5, schedFIFO, 4, unix.EPERM},
	} {
		name := fmt.Sprintf("limit %d: %#x at %d to %#x at %d", tc.limit, tc.policy, tc.priority, tc.toPolicy, tc.toPriority)
		t.Run(name, func(t *testing.T) {
			task := newSchedTask(t)
			task.setNice(4)
			task.setLimit(unix.RLIMIT_RTPRIO, tc.limit)
			require.NoError(t, task.setScheduler(0, tc.policy, tc.priority))
			task.setUser(1000)
			err := task.setScheduler(0, tc.toPolicy, tc.toPriority)
			if tc.want != nil {
				require.Equal(t, tc.want, err)
				task.expect(tc.policy, tc.priority, 4)
				return
			}
			require.NoError(t, err)
			task.expect(tc.toPolicy, tc.toPriority, 4)
		})
	}
}

// The limit that counts is the target's.
func TestSchedLimitOfTarget(t *testing.T) {
	task, setter := newSchedTask(t), newSchedTask(t)
	task.setLimit(unix.RLIMIT_RTPRIO, 20)
	task.setUser(1000)
	setter.setUser(1000)
	require.NoError(t, setter.setScheduler(task.TID(), schedFIFO, 20))
	require.NoError(t, setter.setParam(task.TID(), 15))
	require.Equal(t, unix.EPERM, setter.setParam(task.TID(), 21))
	require.Equal(t, unix.EPERM, task.setScheduler(setter.TID(), schedFIFO, 1))
	task.expect(schedFIFO, 15, 0)
	setter.expect(schedNormal, 0, 0)
}

// sched_setattr also checks the nice value, but only for policies that use one.
func TestSchedNiceUnprivileged(t *testing.T) {
	task := newSchedTask(t)
	task.setNice(4)
	task.setUser(1000)
	require.NoError(t, task.setAttr(0, unix.SchedAttr{Policy: schedBatch, Nice: 6}))
	require.Equal(t, unix.EPERM, task.setAttr(0, unix.SchedAttr{Policy: schedBatch, Nice: 5}))
	require.NoError(t, task.setAttr(0, unix.SchedAttr{Policy: schedIdle, Nice: -5}))
	task.expectCalls(schedIdle, 0, 6)
}

// Whoever is neither privileged nor the owner can change nothing, even if nothing would
// change.
func TestSchedOwner(t *testing.T) {
	for _, tc := range []struct {
		name                     string
		targetReal, targetEffect int
		want                     error
	}{
		{"real user", 1000, 1001, nil},
		{"effective user", 1001, 1000, nil},
		{"another", 1001, 1001, unix.EPERM},
		{"root", 0, 0, unix.EPERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			task, setter := newSchedTask(t), newSchedTask(t)
			task.Must(t, unix.SYS_SETRESUID, uintptr(tc.targetReal), uintptr(tc.targetEffect), uintptr(tc.targetReal))
			// The real user ID does not count.
			setter.Must(t, unix.SYS_SETRESUID, 1002, 1000, 1000)
			for _, err := range []error{
				setter.setScheduler(task.TID(), schedNormal, 0),
				setter.setScheduler(task.TID(), schedIdle, 0),
				setter.setParam(task.TID(), 0),
				setter.setAttr(task.TID(), unix.SchedAttr{Policy: schedIdle}),
			} {
				require.Equal(t, tc.want, err)
			}
			// Everyone may query it.
			setter.Must(t, unix.SYS_SCHED_GETSCHEDULER, uintptr(task.TID()))
			setter.Must(t, unix.SYS_SCHED_GETPARAM, uintptr(task.TID()), setter.Scratch())
		})
	}
}

// Capabilities in one's own user namespace don't count.
func TestSchedUserNamespace(t *testing.T) {
	task := newSchedTask(t)
	task.Must(t, unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	require.Equal(t, unix.EPERM, task.setScheduler(0, schedFIFO, 1))
	require.Equal(t, unix.EPERM, task.setAttr(0, unix.SchedAttr{Policy: schedRR, Priority: 1}))
	require.NoError(t, task.setScheduler(0, schedBatch, 0))
	task.expect(schedBatch, 0, 0)
}

// Structures of other sizes.
func TestSchedAttrSize(t *testing.T) {
	task := newSchedTask(t)
	require.NoError(t, task.setScheduler(0, schedFIFO|schedResetOnFork, 11))
	buf := make([]byte, 128)
	for _, size := range []int{48, 56, 100} {
		for i := range buf {
			buf[i] = 0xff
		}
		_, _, errno := unix.Syscall6(unix.SYS_SCHED_GETATTR, uintptr(task.TID()), uintptr(unsafe.Pointer(&buf[0])), uintptr(size), 0, 0, 0)
		require.Zero(t, errno)
		attr := *(*unix.SchedAttr)(unsafe.Pointer(&buf[0]))
		require.EqualValues(t, min(size, unix.SizeofSchedAttr), attr.Size)
		require.EqualValues(t, schedFIFO, attr.Policy)
		require.EqualValues(t, unix.SCHED_FLAG_RESET_ON_FORK, attr.Flags)
		require.EqualValues(t, 11, attr.Priority)
	}
}
