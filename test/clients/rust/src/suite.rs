// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! The service that checks.rs calls.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use rsbinder::shared_memory::SharedMemory;
use rsbinder::stream::{Sink, StreamEndpoint};
use rsbinder::{
    BinderResult, DeathRecipient, ExceptionCode, Interface, ParcelFileDescriptor, ProcessState,
    Status, StatusCode, Strong, TokioRuntime, WIBinder,
};

use crate::echo::{caller, io_status, AsyncEcho, Echo};
use crate::report::HUNG;
use crate::services;
use crate::test::IEcho::BnEcho;
use crate::test::IListener::IListener;
use crate::test::ISession::{BnSession, ISession};
use crate::test::IStreams::{BnStreams, IStreams};
use crate::test::ISuite::{BnSuite, ISuite};
use crate::test::Record::Record;

/// Registers the suite and, under its name with ".async" and ".streams" appended, an
/// asynchronous IEcho and an IStreams.
pub fn run(name: &str) -> ExitCode {
    let serve = || -> rsbinder::Result<()> {
        // Before any object is made: objects need the process's state.
        services::serve()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()?;
        let echo = BnEcho::new_async_binder(
            AsyncEcho(Echo::default()),
            TokioRuntime(runtime.handle().clone()),
        );
        let suite = new();
        suite.as_binder().set_extension(&echo.as_binder())?;
        // Registers the suite last: once it is found, the others can be found as well.
        services::add(&format!("{name}.async"), echo.as_binder())?;
        services::add(
            &format!("{name}.streams"),
            BnStreams::new_binder(Streams).as_binder(),
        )?;
        services::add(name, suite.as_binder())?;
        ProcessState::join_thread_pool()
    };
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{name}: {err:?}");
            ExitCode::FAILURE
        }
    }
}

/// Provides an IEcho until the service manager reports that nobody uses it any more.
pub fn run_lazy(name: &str) -> ExitCode {
    let serve = || -> Result<(), Status> {
        services::serve()?;
        let echo = BnEcho::new_binder(Echo::default());
        rsbinder::lazy_service::LazyServiceRegistrar::instance()
            .register_service(name, echo.as_binder())?;
        Ok(ProcessState::join_thread_pool()?)
    };
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{name}: {err:?}");
            ExitCode::FAILURE
        }
    }
}

/// Creates a suite, for the service or for a client.
pub fn new() -> Strong<dyn ISuite> {
    let state = Arc::new(State::default());
    let suite = BnSuite::new_binder(Suite(state.clone()));
    let _ = state.me.set(Strong::downgrade(&suite));
    suite
}

#[derive(Default)]
struct State {
    me: OnceLock<rsbinder::Weak<dyn ISuite>>,
    sessions: Arc<AtomicI32>,
    listeners: Mutex<Vec<Strong<dyn IListener>>>,
    /// Notified of the listeners' deaths; created for the first of them.
    mourner: OnceLock<Arc<Mourner>>,
    /// By sender, the next number, or -1.
    storms: Mutex<HashMap<i32, i32>>,
    /// How many calls of rendezvous wait, and how often they have met.
    meeting: Mutex<(i32, u32)>,
    met: Condvar,
    held: Mutex<Held>,
    let_go: Condvar,
    swallowed: AtomicI32,
}

#[derive(Default, PartialEq)]
enum Held {
    #[default]
    No,
    Yes,
    /// letGo came first.
    NoLonger,
}

struct Mourner(std::sync::Weak<State>);

impl DeathRecipient for Mourner {
    fn binder_died(&self, who: &WIBinder) {
        if let Some(state) = self.0.upgrade() {
            state
                .listeners
                .lock()
                .unwrap()
                .retain(|listener| *who != listener.as_binder());
        }
    }
}

struct Suite(Arc<State>);

impl Interface for Suite {
    fn dump(&self, writer: &mut dyn Write, args: &[String]) -> rsbinder::Result<()> {
        writeln!(writer, "suite {}", args.join(" "))?;
        Ok(())
    }
}

impl ISuite for Suite {
    fn echo(&self, record: &Record) -> BinderResult<Record> {
        Ok(record.clone())
    }

    fn orNull(&self, text: Option<&str>) -> BinderResult<Option<String>> {
        Ok(text.map(str::to_string))
    }

    fn repeat(&self, data: &[u8], times: i32) -> BinderResult<Vec<u8>> {
        Ok(data.repeat(times as usize))
    }

    fn raise(&self, exception: i32, message: &str) -> BinderResult<()> {
        const EXCEPTIONS: [ExceptionCode; 6] = [
            ExceptionCode::Security,
            ExceptionCode::BadParcelable,
            ExceptionCode::IllegalArgument,
            ExceptionCode::NullPointer,
            ExceptionCode::IllegalState,
            ExceptionCode::UnsupportedOperation,
        ];
        match EXCEPTIONS.iter().find(|code| **code as i32 == exception) {
            Some(code) => Err((*code, message).into()),
            None => Ok(()),
        }
    }

    fn open(&self, name: &str) -> BinderResult<Strong<dyn ISession>> {
        Ok(session(name, 0, &self.0.sessions))
    }

    fn sessions(&self) -> BinderResult<i32> {
        Ok(self.0.sessions.load(Ordering::SeqCst))
    }

    fn inspect(&self, session: &Strong<dyn ISession>) -> BinderResult<i32> {
        let depth = session.depth()?;
        Ok(if session.as_binder().is_remote() {
            -depth
        } else {
            depth
        })
    }

    fn bounce(&self, peer: &Strong<dyn ISuite>, depth: i32, text: &str) -> BinderResult<String> {
        if depth == 0 {
            return Ok(text.to_string());
        }
        let me = self.0.me.get().ok_or(StatusCode::NoInit)?.upgrade()?;
        peer.bounce(&me, depth - 1, &format!("{text}."))
    }

    fn addListener(&self, listener: &Strong<dyn IListener>) -> BinderResult<()> {
        let mourner = self
            .0
            .mourner
            .get_or_init(|| Arc::new(Mourner(Arc::downgrade(&self.0))));
        // Before linking: it may die at once.
        self.0.listeners.lock().unwrap().push(listener.clone());
        Ok(listener.link_to_death_arc(mourner)?)
    }

    fn listeners(&self) -> BinderResult<i32> {
        Ok(self.0.listeners.lock().unwrap().len() as i32)
    }

    fn notifyListeners(&self, count: i32) -> BinderResult<()> {
        let listeners = self.0.listeners.lock().unwrap().clone();
        for number in 0..count {
            for listener in &listeners {
                listener.onNote(number)?;
            }
        }
        Ok(())
    }

    fn storm(&self, sender: i32, number: i32) -> BinderResult<()> {
        let mut storms = self.0.storms.lock().unwrap();
        let next = storms.entry(sender).or_default();
        *next = if *next == number && caller().0 == 0 {
            number + 1
        } else {
            -1
        };
        Ok(())
    }

    fn taken(&self, sender: i32) -> BinderResult<i32> {
        Ok(self
            .0
            .storms
            .lock()
            .unwrap()
            .get(&sender)
            .copied()
            .unwrap_or(0))
    }

    fn rendezvous(&self, parties: i32) -> BinderResult<()> {
        let mut meeting = self.0.meeting.lock().unwrap();
        meeting.0 += 1;
        if meeting.0 == parties {
            *meeting = (0, meeting.1 + 1);
            self.0.met.notify_all();
            return Ok(());
        }
        let times = meeting.1;
        let (mut meeting, timeout) = self
            .0
            .met
            .wait_timeout_while(meeting, HUNG, |meeting| meeting.1 == times)
            .unwrap();
        if timeout.timed_out() {
            meeting.0 -= 1;
            return Err(StatusCode::TimedOut.into());
        }
        Ok(())
    }

    fn hold(&self) -> BinderResult<()> {
        let mut held = self.0.held.lock().unwrap();
        if *held == Held::No {
            *held = Held::Yes;
        }
        let (mut held, _) = self
            .0
            .let_go
            .wait_timeout_while(held, HUNG, |held| *held == Held::Yes)
            .unwrap();
        *held = Held::No;
        Ok(())
    }

    fn letGo(&self) -> BinderResult<()> {
        *self.0.held.lock().unwrap() = Held::NoLonger;
        self.0.let_go.notify_all();
        Ok(())
    }

    fn swallow(&self, data: &[u8]) -> BinderResult<()> {
        self.0
            .swallowed
            .fetch_add(data.len() as i32, Ordering::SeqCst);
        Ok(())
    }

    fn swallowed(&self) -> BinderResult<i32> {
        Ok(self.0.swallowed.load(Ordering::SeqCst))
    }

    fn reverseFiles(
        &self,
        files: &[ParcelFileDescriptor],
    ) -> BinderResult<Vec<ParcelFileDescriptor>> {
        files
            .iter()
            .rev()
            .map(|file| Ok(file.try_clone()?))
            .collect()
    }

    fn share(&self, memory: &ParcelFileDescriptor) -> BinderResult<i64> {
        let memory = SharedMemory::from_fd(memory.try_clone()?.into())?;
        let mut bytes = vec![0; memory.size()];
        memory.read_at(0, &mut bytes)?;
        let sum = bytes.iter().map(|byte| *byte as i64).sum();
        for byte in &mut bytes {
            *byte = byte.wrapping_add(1);
        }
        memory.write_at(0, &bytes)?;
        Ok(sum)
    }

    fn files(&self) -> BinderResult<i32> {
        Ok(std::fs::read_dir("/proc/self/fd")
            .map_err(io_status)?
            .count() as i32)
    }

    fn exit(&self, status: i32) -> BinderResult<()> {
        std::process::exit(status)
    }
}

struct Streams;

impl Interface for Streams {}

impl IStreams for Streams {
    fn stream(&self, records: &StreamEndpoint<Record>, count: i32) -> BinderResult<()> {
        let mut sink = Sink::open(records)?;
        std::thread::spawn(move || {
            for number in 0..count {
                let record = Record {
                    number,
                    ..Default::default()
                };
                // Waits if the client does not keep up.
                if sink.send(&record).is_err() {
                    return;
                }
            }
            let _ = sink.end();
        });
        Ok(())
    }
}

/// Creates a session, which is live as long as anybody holds it.
pub fn session(name: &str, depth: i32, live: &Arc<AtomicI32>) -> Strong<dyn ISession> {
    live.fetch_add(1, Ordering::SeqCst);
    BnSession::new_binder(Session {
        name: name.to_string(),
        depth,
        calls: AtomicI32::new(0),
        live: live.clone(),
    })
}

struct Session {
    name: String,
    depth: i32,
    calls: AtomicI32,
    live: Arc<AtomicI32>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Interface for Session {}

impl ISession for Session {
    fn name(&self) -> BinderResult<String> {
        Ok(self.name.clone())
    }

    fn next(&self) -> BinderResult<i32> {
        Ok(self.calls.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn open(&self, name: &str) -> BinderResult<Strong<dyn ISession>> {
        Ok(session(name, self.depth + 1, &self.live))
    }

    fn depth(&self) -> BinderResult<i32> {
        Ok(self.depth)
    }
}
