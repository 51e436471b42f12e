// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! Calls to an IEcho, whatever language it is written in.

use std::io::Read;
use std::process::ExitCode;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use rsbinder::{
    BinderResult, DeathRecipient, ExceptionCode, FrozenState, FrozenStateChangeCallback, Interface,
    ParcelFileDescriptor, ProcessState, StatusCode, Strong, Tokio, WIBinder,
};

use crate::report::{Check, Report, HUNG, RUST};
use crate::services;
use crate::test::IEcho::IEcho;
use crate::test::IListener::{BnListener, IListener};

pub fn run(name: &str, language: &str) -> ExitCode {
    let mut report = Report::default();
    calls(&mut report, name, language);
    report.finish("")
}

/// What a listener received, and on which thread.
type Heard = (String, ThreadId);

/// A listener that reports what it receives.
pub struct Listener(Mutex<mpsc::Sender<Heard>>);

impl Listener {
    pub fn new_binder() -> (Strong<dyn IListener>, mpsc::Receiver<Heard>) {
        let (tell, hear) = mpsc::channel();
        (BnListener::new_binder(Listener(Mutex::new(tell))), hear)
    }

    fn hear(&self, what: String) {
        // The receiver may be gone.
        let _ = self
            .0
            .lock()
            .unwrap()
            .send((what, std::thread::current().id()));
    }
}

impl Interface for Listener {}

impl IListener for Listener {
    /// Returns the reversed text.
    fn onEvent(&self, text: &str) -> BinderResult<String> {
        self.hear(text.to_string());
        Ok(text.chars().rev().collect())
    }

    fn onNote(&self, number: i32) -> BinderResult<()> {
        self.hear(number.to_string());
        Ok(())
    }
}

/// Reports deaths.
pub struct Mourner(Mutex<mpsc::Sender<WIBinder>>);

impl Mourner {
    pub fn new() -> (Arc<Mourner>, mpsc::Receiver<WIBinder>) {
        let (tell, hear) = mpsc::channel();
        (Arc::new(Mourner(Mutex::new(tell))), hear)
    }
}

impl DeathRecipient for Mourner {
    fn binder_died(&self, who: &WIBinder) {
        let _ = self.0.lock().unwrap().send(who.clone());
    }
}

/// Reports the freezing and thawing of a process.
struct Freezes(Mutex<mpsc::Sender<FrozenState>>);

impl FrozenStateChangeCallback for Freezes {
    fn on_state_changed(&self, _: &WIBinder, state: FrozenState) {
        let _ = self.0.lock().unwrap().send(state);
    }
}

/// Freezes and thaws the process with the service.
pub fn freeze(name: &str, to: &str, pid: i32) -> ExitCode {
    let mut report = Report::default();
    report.check(
        to,
        "freeze",
        &format!("{name}: it is frozen and thawed, and its client is notified"),
        |c| {
            let echo = c.get(services::find::<dyn IEcho>(name))?;
            let (tell, states) = mpsc::channel();
            let freezes = Arc::new(Freezes(Mutex::new(tell)));
            c.get(
                echo.as_binder()
                    .add_frozen_state_change_callback_arc(&freezes),
            )?;
            c.want(states.recv_timeout(HUNG), FrozenState::Unfrozen);
            let driver = ProcessState::as_self();
            for round in 0..5 {
                let tag = format!("{}.{round}", std::process::id());
                // The service is still busy if it has not received the reply to its
                // registration.
                c.eventually(Ok(()), || {
                    Ok::<_, ()>(driver.freeze_process(pid, true, HUNG))
                });
                c.want(states.recv_timeout(HUNG), FrozenState::Frozen);
                c.failure(echo.add(1, 1), StatusCode::FailedTransaction);
                c.get(echo.note(&format!("{tag} 1")))?;
                let info = c.get(driver.process_freeze_info(pid))?;
                c.same((info.sync_received, info.async_received), (true, true));
                c.want(driver.freeze_process(pid, false, HUNG), ());
                c.want(states.recv_timeout(HUNG), FrozenState::Unfrozen);
                // The one-way call has arrived, or will.
                c.eventually(1, || echo.heard(&tag));
            }
            Some(())
        },
    );
    report.finish("")
}

/// Reads a file to its end.
pub fn read_all(file: ParcelFileDescriptor) -> std::io::Result<String> {
    let mut text = String::new();
    crate::echo::file(file).read_to_string(&mut text)?;
    Ok(text)
}

/// Returns bytes that look random, the same for the same seed.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..size).map(|_| random.next() as u8).collect()
}

/// Numbers that look random, the same for the same seed (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// Returns a number less than the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Makes every call of the interface.
pub fn calls(report: &mut Report, name: &str, to: &str) {
    let mut found = None;
    report.check(
        to,
        "lookup",
        &format!("{name}: waiting for the service"),
        |c| {
            found = Some(c.get(services::find::<dyn IEcho>(name))?);
            Some(())
        },
    );
    let Some(echo) = found else { return };
    let check = |report: &mut Report, kind, what: &str, f: &dyn Fn(&Check) -> Option<()>| {
        report.check(to, kind, &format!("{name}: {what}"), f)
    };

    check(report, "sync", "strings", &|c| {
        for (text, want) in [
            ("hello, binder", "HELLO, BINDER"),
            ("", ""),
            ("a", "A"),
            ("odd", "ODD"),
            ("not ascii: € 😀", "NOT ASCII: € 😀"),
        ] {
            c.want(echo.upper(text), want.to_string());
        }
        Some(())
    });
    check(report, "sync", "500 numbers", &|c| {
        for i in 0..500 {
            c.want(echo.add(i, -2 * i), -i);
        }
        c.want(echo.add(i32::MAX, 1), i32::MIN);
        Some(())
    });
    check(report, "sync", "eight threads at once", &|c| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let echo = &echo;
                scope.spawn(move || {
                    for i in 0..50 {
                        c.want(
                            echo.upper(&format!("thread {thread} call {i}")),
                            format!("THREAD {thread} CALL {i}"),
                        );
                    }
                });
            }
        });
        Some(())
    });
    check(
        report,
        "identity",
        "the service is told the caller's pid and uid",
        &|c| {
            let me = (std::process::id() as i64) << 32 | unsafe { libc::getuid() } as i64;
            c.want(echo.caller(), me);
            Some(())
        },
    );
    check(report, "error", "service-specific errors", &|c| {
        for code in [1, -1, 42, i32::MAX, i32::MIN] {
            match echo.fail(code, "as asked") {
                Err(err) if err.exception_code() == ExceptionCode::ServiceSpecific => {
                    c.want(
                        Ok::<_, ()>((err.service_specific_error(), err.message())),
                        (code, Some("as asked")),
                    );
                }
                got => {
                    c.want(
                        got.map(|_| ExceptionCode::None),
                        ExceptionCode::ServiceSpecific,
                    );
                }
            }
        }
        c.want(echo.add(1, 1), 2);
        Some(())
    });
    check(report, "oneway", "100 one-way calls arrive", &|c| {
        let before = c.get(echo.notes())?;
        for i in 0..100 {
            c.get(echo.note(&format!("note{i}")))?;
        }
        c.eventually(before + 100, || echo.notes());
        Some(())
    });
    check(
        report,
        "oneway",
        "100 one-way calls from each of four threads arrive in order",
        &|c| {
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let echo = &echo;
                    scope.spawn(move || {
                        let tag = format!("{}.{thread}", std::process::id());
                        for i in 1..=100 {
                            c.get(echo.note(&format!("{tag} {i}")));
                        }
                        c.eventually(100, || echo.heard(&tag));
                    });
                }
            });
            Some(())
        },
    );
    check(
        report,
        "callback",
        "an object that the service calls back",
        &|c| {
            let (listener, heard) = Listener::new_binder();
            for i in 0..50 {
                c.want(
                    echo.callBack(&listener, &format!("{i} stressed")),
                    format!(
                        "desserts {}!",
                        i.to_string().chars().rev().collect::<String>()
                    ),
                );
                let (event, thread) = c.get(heard.try_recv())?;
                c.same(event, format!("{i} stressed"));
                if to == RUST {
                    // In the thread that waits for its call. libgbinder calls back from
                    // another thread.
                    c.same(thread, std::thread::current().id());
                }
            }
            Some(())
        },
    );
    check(report, "fd", "a file descriptor in a call", &|c| {
        for i in 0..20 {
            let (reader, writer) = c.get(ParcelFileDescriptor::pipe())?;
            let text = format!("to you {i}");
            c.want(echo.writeFile(&writer, &text), text.len() as i32);
            drop(writer);
            c.same(read_all(reader).ok(), Some(text));
        }
        Some(())
    });
    check(report, "fd", "a file descriptor in a reply", &|c| {
        for i in 0..20 {
            let text = format!("to me {i}");
            let file = c.get(echo.openFile(&text))?;
            c.same(read_all(file).ok(), Some(text));
        }
        Some(())
    });
    check(report, "large", "bytes, up to 900 kB", &|c| {
        for size in [0, 1, 3, 4, 4095, 65536, 300_001, 900_000] {
            let data = noise(size, size as u64);
            let want = data.iter().rev().copied().collect::<Vec<_>>();
            let got = c.get(echo.reverse(&data))?;
            c.same(got.len(), size);
            c.same(got == want, true);
        }
        Some(())
    });
    check(report, "async", "50 asynchronous calls at once", &|c| {
        let runtime = c.get(
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .max_blocking_threads(16)
                .build(),
        )?;
        let echo = echo.clone().into_async::<Tokio>();
        runtime.block_on(async {
            let calls: Vec<_> = (0..50)
                .map(|i| {
                    let echo = echo.clone();
                    tokio::spawn(async move { echo.upper(&format!("async {i}")).await })
                })
                .collect();
            for (i, call) in calls.into_iter().enumerate() {
                c.want(c.get(call.await)?, format!("ASYNC {i}"));
            }
            Some(())
        })
    });
    check(
        report,
        "death",
        "a death recipient that is unlinked again",
        &|c| {
            let (mourner, _) = Mourner::new();
            let binder = echo.as_binder();
            c.get(binder.link_to_death_arc(&mourner))?;
            c.get(binder.unlink_to_death_arc(&mourner))?;
            c.want(binder.ping_binder(), ());
            Some(())
        },
    );
}
