// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/test/syscalls/remote"
)

// alarmClocks are the clocks whose timers wake a system from suspend, and those that they
// otherwise equal.
var alarmClocks = map[string]struct{ alarm, base int }{
	"CLOCK_REALTIME_ALARM": {unix.CLOCK_REALTIME_ALARM, unix.CLOCK_REALTIME},
	"CLOCK_BOOTTIME_ALARM": {unix.CLOCK_BOOTTIME_ALARM, unix.CLOCK_BOOTTIME},
}

// Timers of alarm clocks expire when the other clocks' do.
func TestAlarmTimerfd(t *testing.T) {
	for name, clock := range alarmClocks {
		t.Run(name, func(t *testing.T) {
			fd, err := unix.TimerfdCreate(clock.alarm, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
			require.NoError(t, err)
			defer unix.Close(fd)
			expirations := func() uint64 {
				for {
					_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
					if err != unix.EINTR {
						require.NoError(t, err)
						break
					}
				}
				var buf [8]byte
				n, err := unix.Read(fd, buf[:])
				require.NoError(t, err)
				require.Equal(t, 8, n)
				return binary.NativeEndian.Uint64(buf[:])
			}

			// Relative and periodic.
			interval := unix.ItimerSpec{Value: unix.Timespec{Nsec: 1}, Interval: unix.Timespec{Nsec: 1e6}}
			require.NoError(t, unix.TimerfdSettime(fd, 0, &interval, nil))
			for range 2 {
				require.NotZero(t, expirations())
			}
			var now unix.ItimerSpec
			require.NoError(t, unix.TimerfdGettime(fd, &now))
			require.Equal(t, interval.Interval, now.Interval)

			// Absolute, at a time that has just passed on the other clock.
			var passed unix.Timespec
			require.NoError(t, unix.ClockGettime(int32(clock.base), &passed))
			require.NoError(t, unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &unix.ItimerSpec{Value: passed}, nil))
			require.EqualValues(t, 1, expirations())

			// Absolute, at a future time.
			passed.Sec += 1000
			require.NoError(t, unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &unix.ItimerSpec{Value: passed}, nil))
			require.NoError(t, unix.TimerfdGettime(fd, &now))
			require.InDelta(t, 995, now.Value.Sec, 5)
			_, err = unix.Read(fd, make([]byte, 8))
			require.Equal(t, unix.EAGAIN, err)
		})
	}
}

// Alarm clocks require CAP_WAKE_ALARM, when a timer is created and when it is set. Anyone
// may ask how much time is left.
func TestAlarmTimerfdPrivileges(t *testing.T) {
	for name, clock := range alarmClocks {
		t.Run(name, func(t *testing.T) {
			for _, unprivileged := range []caller{
				newCaller(t).without(unix.CAP_WAKE_ALARM),
				newCaller(t).become(1000),
				newCaller(t).confine(),
			} {
				_, err := unprivileged.Call(t, unix.SYS_TIMERFD_CREATE, uintptr(clock.alarm), 0)
				require.Equal(t, unix.EPERM, err)
				_, err = unprivileged.Call(t, unix.SYS_TIMERFD_CREATE, uintptr(clock.alarm), 1)
				require.Equal(t, unix.EINVAL, err)
				unprivileged.Must(t, unix.SYS_TIMERFD_CREATE, uintptr(clock.base), 0)
			}

			c := newCaller(t)
			fd := c.Must(t, unix.SYS_TIMERFD_CREATE, uintptr(clock.alarm), 0)
			*remote.Struct[unix.ItimerSpec](c.place(2)) = unix.ItimerSpec{Value: unix.Timespec{Sec: 1000}}
			c.Must(t, unix.SYS_TIMERFD_SETTIME, fd, 0, c.place(2), 0)
			c.without(unix.CAP_WAKE_ALARM)
			*remote.Struct[unix.ItimerSpec](c.place(2)) = unix.ItimerSpec{}
			_, err := c.Call(t, unix.SYS_TIMERFD_SETTIME, fd, 0, c.place(2), 0)
			require.Equal(t, unix.EPERM, err)
			c.Must(t, unix.SYS_TIMERFD_GETTIME, fd, c.place(2))
			require.InDelta(t, 995, remote.Struct[unix.ItimerSpec](c.place(2)).Value.Sec, 5)
		})
	}
}

// Any other use of alarm clocks needs a real-time clock that can wake the system, and
// there is none.
func TestAlarmClocksWithoutDevice(t *testing.T) {
	for name, clock := range alarmClocks {
		t.Run(name, func(t *testing.T) {
			c := newCaller(t)
			for _, call := range []struct {
				name string
				nr   uintptr
				args []uintptr
				want error
			}{
				{"clock_gettime", unix.SYS_CLOCK_GETTIME, []uintptr{c.place(1)}, unix.EINVAL},
				{"clock_getres", unix.SYS_CLOCK_GETRES, []uintptr{c.place(1)}, unix.EINVAL},
				{"clock_nanosleep", unix.SYS_CLOCK_NANOSLEEP, []uintptr{0, c.place(2), 0}, unix.EOPNOTSUPP},
				{"timer_create", unix.SYS_TIMER_CREATE, []uintptr{0, c.place(1)}, unix.EOPNOTSUPP},
			} {
				_, err := c.Call(t, call.nr, append([]uintptr{uintptr(clock.alarm)}, call.args...)...)
				require.Equal(t, call.want, err, call.name)
			}
		})
	}
}
