// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! rsbinder's clients with services of rsbinder's or of another AIDL library, in several
//! processes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{mpsc, Arc, Mutex};

use rsbinder::hub::{BnServiceCallback, IServiceCallback, DUMP_FLAG_PRIORITY_ALL};
use rsbinder::shared_memory::SharedMemory;
use rsbinder::stream::Receiver;
use rsbinder::{
    BinderResult, ExceptionCode, FromIBinder, Interface, ParcelFileDescriptor, ProcessState,
    Reconnecting, SIBinder, StatusCode, Strong, Tokio,
};

use crate::client::{noise, read_all, Listener, Mourner};
use crate::report::{Check, Report, HUNG, RUST};
use crate::services::{self, find, kernel};
use crate::test::IEcho::IEcho;
use crate::test::IStreams::IStreams;
use crate::test::ISuite::ISuite;
use crate::test::Kind::Kind;
use crate::test::Record::Record;
use crate::{echo, suite};

/// Makes the checks with a suite in some language.
pub fn run(language: &str) -> ExitCode {
    let mut report = Report::default();
    let name = format!("test.{language}.suite");
    let mut check = |kind, what: &str, f: &mut dyn FnMut(&Check) -> Option<()>| {
        report.check(
            language,
            kind,
            &format!("rsbinder and {language}: {what}"),
            f,
        )
    };
    let mut process = None;
    let mut suite = None;
    check(
        "register",
        "waiting for a service that is not there yet",
        &mut |c| {
            c.error(
                services::open().and_then(|_| services::check::<dyn ISuite>(&name)),
                StatusCode::NameNotFound,
            );
            let waiting = std::thread::spawn({
                let name = name.clone();
                move || find::<dyn ISuite>(&name)
            });
            process = Some(Process::of(language, &["suite", &name]));
            suite = c.get(waiting.join().ok()?);
            Some(())
        },
    );
    let (Some(mut process), Some(suite)) = (process, suite) else {
        return report.finish("");
    };
    let own = language == RUST;
    if own && services::has_own_manager() {
        registration(&mut check, &name);
        lazy(&mut check);
        reconnecting(&mut check);
    }
    synchronous(&mut check, &suite);
    objects(&mut check, &suite, &name);
    callbacks(&mut check, &suite);
    threads(&mut check, &suite);
    one_way(&mut check, &suite);
    large(&mut check, &suite);
    files(&mut check, &suite);
    asynchronous(&mut check, &suite);
    memory(&mut check, &suite);
    if own {
        streams(&mut check, &name);
    }
    deaths(&mut check, suite, &name, language, &mut process);
    report.finish("")
}

/// Makes a check: its kind, its name, and what it does.
type Checks<'a> = &'a mut dyn FnMut(&'static str, &str, &mut dyn FnMut(&Check) -> Option<()>);

/// Another process. It is killed when dropped.
struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str]) -> Process {
        Process::start_as(None, arguments)
    }

    fn start_as(uid: Option<u32>, arguments: &[&str]) -> Process {
        let program = std::env::current_exe().expect("this program's path");
        Process::spawn(Command::new(program), uid, arguments)
    }

    /// Starts the program that offers services in a language.
    fn of(language: &str, arguments: &[&str]) -> Process {
        match language {
            RUST => Process::start(arguments),
            _ => Process::spawn(Command::new(format!("{language}_test")), None, arguments),
        }
    }

    fn spawn(mut command: Command, uid: Option<u32>, arguments: &[&str]) -> Process {
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid).gid(uid);
        }
        let mut child = command.spawn().expect("another process");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Process { child, lines }
    }

    /// Returns the next line that it prints.
    fn line(&self) -> Option<String> {
        self.lines.recv_timeout(HUNG).ok()
    }

    fn kill(&mut self) -> Option<i32> {
        self.child.kill().ok()?;
        self.child.wait().ok()?.signal()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints the identity that a service sees for this process.
pub fn identity(name: &str) -> ExitCode {
    match find::<dyn IEcho>(name).map(|echo| echo.caller()) {
        Ok(Ok(caller)) => {
            println!(
                "{} {}",
                (caller >> 32) as u32 == std::process::id(),
                caller as u32
            );
            ExitCode::SUCCESS
        }
        err => {
            println!("{err:?}");
            ExitCode::FAILURE
        }
    }
}

struct Registrations(Mutex<mpsc::Sender<String>>);

impl Interface for Registrations {}

impl IServiceCallback for Registrations {
    fn onRegistration(&self, name: &str, service: &SIBinder) -> BinderResult<()> {
        let alive = service.ping_binder().is_ok();
        let _ = self.0.lock().unwrap().send(format!("{name} {alive}"));
        Ok(())
    }
}

fn registration(check: Checks, name: &str) {
    use rsbinder::hub;

    check("register", "services are listed and found", &mut |c| {
        let mut names = c.get(hub::try_list_services(DUMP_FLAG_PRIORITY_ALL))?;
        names.sort();
        for name in [name, "test.rust.suite.async", "manager"] {
            c.same(names.contains(&name.to_string()), true);
        }
        c.same(hub::check_service("test.rust.none").is_none(), true);
        c.same(
            c.get(hub::try_get_service("test.rust.none"))?.is_none(),
            true,
        );
        Some(())
    });
    check(
        "register",
        "a service of another interface is refused",
        &mut |c| {
            c.error(
                hub::check_interface::<dyn IEcho>(name).map(|_| ()),
                StatusCode::BadType,
            );
            Some(())
        },
    );
    check(
        "register",
        "a callback reports each registration",
        &mut |c| {
            let (tell, hear) = mpsc::channel();
            let callback = BnServiceCallback::new_binder(Registrations(Mutex::new(tell)));
            c.get(hub::register_for_notifications(
                "test.rust.other",
                &callback,
            ))?;
            for _ in 0..3 {
                let mut other = Process::start(&["service", "test.rust.other"]);
                c.same(other.line().as_deref(), Some("registered"));
                c.same(
                    hear.recv_timeout(HUNG).ok().as_deref(),
                    Some("test.rust.other true"),
                );
                c.same(other.kill(), Some(libc::SIGKILL));
            }
            c.get(hub::unregister_for_notifications(
                "test.rust.other",
                &callback,
            ))?;
            c.eventually(false, || {
                Ok::<_, ()>(hub::check_service("test.rust.other").is_some())
            });
            Some(())
        },
    );
    check(
        "register",
        "an ordinary user may not take one of root's names",
        &mut |c| {
            let refused = Process::start_as(Some(1000), &["service", "test.rust.other"]);
            let line = refused.line()?;
            c.same(line.starts_with("refused"), true);
            let allowed = Process::start_as(Some(1000), &["service", "test.open.rust"]);
            c.same(allowed.line().as_deref(), Some("registered"));
            let echo = c.get(find::<dyn IEcho>("test.open.rust"))?;
            c.want(echo.upper("by another user"), "BY ANOTHER USER".to_string());
            Some(())
        },
    );
    check(
        "identity",
        "the caller's pid and uid, as an ordinary user",
        &mut |c| {
            for uid in [0, 1000, 65534] {
                let process = Process::start_as(Some(uid), &["identity", "test.rust.suite.async"]);
                c.want(process.line().ok_or("nothing"), format!("true {uid}"));
            }
            Some(())
        },
    );
    check(
        "identity",
        "outside of a call, this process is the caller",
        &mut |c| {
            c.same(
                echo::caller(),
                (std::process::id() as i32, unsafe { libc::getuid() }),
            );
            Some(())
        },
    );
}

fn record() -> Record {
    let leaf = Record {
        flag: true,
        small: -128,
        number: i32::MIN,
        wide: i64::MIN,
        real: 0.5,
        precise: -1e300,
        text: "grüße 😀".into(),
        kind: Kind::FANCY,
        numbers: vec![1, -1, i32::MAX],
        texts: vec!["".into(), "one".into(), "three".into()],
        nested: None,
    };
    Record {
        nested: Some(vec![Some(leaf.clone()), None, Some(Record::default())]),
        ..leaf
    }
}

fn synchronous(check: Checks, suite: &Strong<dyn ISuite>) {
    check("sync", "a parcelable with one of each type", &mut |c| {
        for _ in 0..100 {
            c.want(suite.echo(&record()), record());
        }
        c.want(suite.echo(&Record::default()), Record::default());
        Some(())
    });
    check("sync", "strings and null", &mut |c| {
        c.want(suite.orNull(None), None);
        for text in ["", "x", "\0", "日本語", &"long ".repeat(2000)] {
            c.want(suite.orNull(Some(text)), Some(text.to_string()));
        }
        Some(())
    });
    check("sync", "ping", &mut |c| {
        for _ in 0..100 {
            c.want(suite.as_binder().ping_binder(), ());
        }
        Some(())
    });
    check("error", "exceptions", &mut |c| {
        for exception in [
            ExceptionCode::Security,
            ExceptionCode::BadParcelable,
            ExceptionCode::IllegalArgument,
            ExceptionCode::NullPointer,
            ExceptionCode::IllegalState,
            ExceptionCode::UnsupportedOperation,
        ] {
            c.exception(
                suite.raise(exception as i32, "on request"),
                exception,
                "on request",
            );
        }
        c.want(suite.raise(0, "none"), ());
        Some(())
    });
    check("error", "a call that the service does not know", &mut |c| {
        let binder = suite.as_binder();
        let remote = binder.as_remote()?;
        let data = c.get(remote.prepare_transact(true))?;
        c.error(
            remote
                .submit_transact(rsbinder::FIRST_CALL_TRANSACTION + 9999, &data, 0)
                .map(|_| ()),
            StatusCode::UnknownTransaction,
        );
        Some(())
    });
    check("error", "a call to another interface's object", &mut |c| {
        let data = c.get(suite.as_binder().as_remote()?.prepare_transact(true))?;
        let session = c.get(suite.open("session"))?;
        let binder = session.as_binder();
        c.error(
            binder
                .as_remote()?
                .submit_transact(rsbinder::FIRST_CALL_TRANSACTION, &data, 0)
                .map(|_| ()),
            StatusCode::BadType,
        );
        c.want(session.name(), "session".to_string());
        Some(())
    });
}

fn objects(check: Checks, suite: &Strong<dyn ISuite>, name: &str) {
    check(
        "object",
        "objects in objects, as long as they are held",
        &mut |c| {
            c.eventually(0, || suite.sessions());
            let first = c.get(suite.open("first"))?;
            let mut sessions = vec![first];
            for i in 1..50 {
                let next = c.get(sessions.last()?.open(&format!("session {i}")))?;
                sessions.push(next);
            }
            c.want(suite.sessions(), 50);
            for (i, session) in sessions.iter().enumerate().skip(1) {
                c.want(session.name(), format!("session {i}"));
                c.want(session.depth(), i as i32);
                c.want(session.next(), 1);
                c.want(session.next(), 2);
            }
            // Drops every other one. The rest live on.
            let mut keep = false;
            sessions.retain(|_| {
                keep = !keep;
                keep
            });
            c.eventually(25, || suite.sessions());
            for session in &sessions {
                c.want(
                    session.next(),
                    if session.as_binder() == sessions[0].as_binder() {
                        1
                    } else {
                        3
                    },
                );
            }
            drop(sessions);
            c.eventually(0, || suite.sessions());
            Some(())
        },
    );
    check("object", "a service gets back its own object", &mut |c| {
        let session = c.get(suite.open("outer"))?;
        let inner = c.get(session.open("inner"))?;
        c.want(suite.inspect(&session), 0);
        c.want(suite.inspect(&inner), 1);
        Some(())
    });
    check(
        "object",
        "a service calls an object of the client's",
        &mut |c| {
            let live = Arc::new(AtomicI32::new(0));
            let mine = suite::session("mine", 7, &live);
            for _ in 0..20 {
                c.want(suite.inspect(&mine), -7);
            }
            drop(mine);
            c.eventually(0, || Ok::<_, ()>(live.load(Ordering::SeqCst)));
            Some(())
        },
    );
    check("object", "1000 objects, one after the other", &mut |c| {
        for i in 0..1000 {
            let session = c.get(suite.open("passing"))?;
            if i % 100 == 0 {
                c.want(session.next(), 1);
            }
        }
        c.eventually(0, || suite.sessions());
        Some(())
    });
    check(
        "object",
        "the same object is the same, another is not",
        &mut |c| {
            let session = c.get(suite.open("a"))?;
            let other = c.get(suite.open("b"))?;
            let again = c.get(services::check::<dyn ISuite>(name))?;
            c.same(again.as_binder() == suite.as_binder(), true);
            c.same(session.as_binder() == other.as_binder(), false);
            let weak = Strong::downgrade(&session);
            c.want(c.get(weak.upgrade())?.name(), "a".to_string());
            Some(())
        },
    );
    check("object", "an object's extension", &mut |c| {
        let extension = c.get(suite.as_binder().get_extension())??;
        let echo: Strong<dyn IEcho> = c.get(FromIBinder::try_from(extension))?;
        c.want(echo.upper("extended"), "EXTENDED".to_string());
        Some(())
    });
}

fn callbacks(check: Checks, suite: &Strong<dyn ISuite>) {
    check("callback", "calls back and forth, twenty deep", &mut |c| {
        let mine = suite::new();
        for depth in [1, 2, 3, 20] {
            let want = ".".repeat(depth as usize);
            c.want(suite.bounce(&mine, depth, ""), want);
        }
        Some(())
    });
    check("callback", "from four threads at once", &mut |c| {
        let mine = suite::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for depth in 0..12 {
                        c.want(suite.bounce(&mine, depth, ""), ".".repeat(depth as usize));
                    }
                });
            }
        });
        Some(())
    });
    check(
        "callback",
        "one-way calls to a listener, in order",
        &mut |c| {
            let (listener, heard) = Listener::new_binder();
            c.get(suite.addListener(&listener))?;
            c.want(suite.listeners(), 1);
            c.get(suite.notifyListeners(500))?;
            for i in 0..500 {
                c.want(
                    heard.recv_timeout(HUNG).map(|(note, _)| note),
                    i.to_string(),
                );
            }
            Some(())
        },
    );
}

fn threads(check: Checks, suite: &Strong<dyn ISuite>) {
    check("threads", "15 calls that wait for each other", &mut |c| {
        for _ in 0..5 {
            std::thread::scope(|scope| {
                for _ in 0..15 {
                    scope.spawn(|| c.want(suite.rendezvous(15), ()));
                }
            });
        }
        Some(())
    });
    check("threads", "32 threads, 100 calls each", &mut |c| {
        std::thread::scope(|scope| {
            for thread in 0..32 {
                scope.spawn(move || {
                    for i in 0..100 {
                        let text = format!("{thread} {i}");
                        c.want(suite.orNull(Some(&text)), Some(text));
                    }
                });
            }
        });
        Some(())
    });
    check("threads", "threads that come and go", &mut |c| {
        for i in 0..200 {
            let suite = suite.clone();
            let text = i.to_string();
            let got = std::thread::spawn(move || suite.orNull(Some(&text)))
                .join()
                .ok()?;
            c.want(got, Some(i.to_string()));
        }
        Some(())
    });
}

fn one_way(check: Checks, suite: &Strong<dyn ISuite>) {
    check(
        "oneway",
        "a storm from eight threads, each in order",
        &mut |c| {
            const ROUNDS: i32 = 10;
            // As many as fit into the half of the mapping that one-way calls may take.
            const ROUND: i32 = 200;
            std::thread::scope(|scope| {
                for sender in 0..8 {
                    scope.spawn(move || {
                        for round in 0..ROUNDS {
                            for i in 0..ROUND {
                                c.get(suite.storm(sender, round * ROUND + i));
                            }
                            if !c.eventually((round + 1) * ROUND, || suite.taken(sender)) {
                                return;
                            }
                        }
                    });
                }
            });
            Some(())
        },
    );
    check(
        "oneway",
        "a storm that does not fit is refused, and does no harm",
        &mut |c| {
            const SIZE: i32 = 64 << 10;
            let before = c.get(suite.swallowed())?;
            c.get(suite.hold())?;
            let data = noise(SIZE as usize, 1);
            let mut sent = 0;
            while sent < 100 {
                match suite.swallow(&data) {
                    Ok(()) => sent += 1,
                    Err(err) => {
                        c.failure(Err::<(), _>(err), StatusCode::FailedTransaction);
                        break;
                    }
                }
            }
            // Half of 1 MiB - 8 KiB, less the overhead of each.
            c.want(Ok::<_, ()>(sent), 7);
            // Two-way calls overtake those that wait.
            c.want(suite.swallowed(), before);
            c.want(suite.letGo(), ());
            c.eventually(before + sent * SIZE, || suite.swallowed());
            c.want(suite.swallow(&data), ());
            c.eventually(before + (sent + 1) * SIZE, || suite.swallowed());
            Some(())
        },
    );
}

fn large(check: Checks, suite: &Strong<dyn ISuite>) {
    check("large", "bytes of many sizes", &mut |c| {
        for size in [1, 2, 3, 4, 5, 4095, 4096, 4097, 100_000, 500_000, 1_000_000] {
            let data = noise(size, size as u64);
            let got = c.get(suite.repeat(&data, 1))?;
            c.same(got == data, true);
        }
        Some(())
    });
    check("large", "the whole mapping, but no more", &mut |c| {
        let mapping = ProcessState::default_mmap_size();
        // Leaves room for the interface's name, lengths and alignment.
        let data = noise(mapping - 256, 3);
        let got = c.get(suite.repeat(&data, 1))?;
        c.same(got == data, true);
        // Too large a call; too large a reply.
        c.failure(
            suite.repeat(&noise(mapping, 4), 0).map(|got| got.len()),
            StatusCode::FailedTransaction,
        );
        c.failure(
            suite.repeat(&data, 2).map(|got| got.len()),
            StatusCode::FailedTransaction,
        );
        let got = c.get(suite.repeat(&data, 1))?;
        c.same(got == data, true);
        Some(())
    });
    check("large", "six threads, 100 kB each", &mut |c| {
        std::thread::scope(|scope| {
            for thread in 0..6 {
                scope.spawn(move || {
                    for i in 0..10 {
                        let data = noise(100_000, thread * 100 + i);
                        if let Some(got) = c.get(suite.repeat(&data, 1)) {
                            c.same(got == data, true);
                        }
                    }
                });
            }
        });
        Some(())
    });
}

fn files(check: Checks, suite: &Strong<dyn ISuite>) {
    check("fd", "file descriptors there and back", &mut |c| {
        let before = c.get(suite.files())?;
        for round in 0..10 {
            let mut readers = Vec::new();
            let mut writers = Vec::new();
            for _ in 0..30 {
                let (reader, writer) = ParcelFileDescriptor::pipe().ok()?;
                readers.push(reader);
                writers.push(writer);
            }
            let back = c.get(suite.reverseFiles(&writers))?;
            c.same(back.len(), writers.len());
            drop(writers);
            for (i, file) in back.into_iter().rev().enumerate() {
                let mut file = echo::file(file);
                write!(file, "{round} {i}").ok()?;
            }
            // All write ends are closed, or this would not end.
            for (i, reader) in readers.into_iter().enumerate() {
                c.same(read_all(reader).ok(), Some(format!("{round} {i}")));
            }
        }
        c.eventually(before, || suite.files());
        Some(())
    });
    check("fd", "files of other kinds", &mut |c| {
        let (mine, theirs) = std::os::unix::net::UnixStream::pair().ok()?;
        let memory = unsafe {
            use std::os::fd::FromRawFd;
            std::fs::File::from_raw_fd(libc::memfd_create(c"memory".as_ptr(), libc::MFD_CLOEXEC))
        };
        (&memory).write_all(b"in memory").ok()?;
        let null = std::fs::File::open("/dev/null").ok()?;
        let files = [
            ParcelFileDescriptor::new(theirs),
            ParcelFileDescriptor::new(memory),
            ParcelFileDescriptor::new(null),
        ];
        let back = c.get(suite.reverseFiles(&files))?;
        drop(files);
        let mut back = back.into_iter();
        c.same(read_all(back.next()?).ok(), Some(String::new()));
        let mut memory = echo::file(back.next()?);
        std::io::Seek::rewind(&mut memory).ok()?;
        c.same(
            read_all(ParcelFileDescriptor::new(memory)).ok(),
            Some("in memory".to_string()),
        );
        let mut theirs = echo::file(back.next()?);
        write!(theirs, "through a socket").ok()?;
        drop(theirs);
        c.same(
            read_all(ParcelFileDescriptor::new(mine)).ok(),
            Some("through a socket".to_string()),
        );
        Some(())
    });
    check("fd", "a service's dump", &mut |c| {
        let (reader, writer) = ParcelFileDescriptor::pipe().ok()?;
        let binder = suite.as_binder();
        c.get(
            binder
                .as_proxy()?
                .dump(writer, &["one".to_string(), "two".to_string()]),
        )?;
        c.same(read_all(reader).ok(), Some("suite one two\n".to_string()));
        Some(())
    });
}

fn asynchronous(check: Checks, suite: &Strong<dyn ISuite>) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(24)
        .build()
    else {
        return;
    };
    check("async", "200 calls at once", &mut |c| {
        let suite = suite.clone().into_async::<Tokio>();
        runtime.block_on(async {
            let calls: Vec<_> = (0..200)
                .map(|i| {
                    let suite = suite.clone();
                    tokio::spawn(async move { suite.orNull(Some(&i.to_string())).await })
                })
                .collect();
            for (i, call) in calls.into_iter().enumerate() {
                c.want(call.await.ok()?, Some(i.to_string()));
            }
            Some(())
        })
    });
    check("async", "objects and errors", &mut |c| {
        let suite = suite.clone().into_async::<Tokio>();
        runtime.block_on(async {
            let session = c
                .get(suite.open("asynchronous").await)?
                .into_async::<Tokio>();
            c.want(session.name().await, "asynchronous".to_string());
            let inner = c.get(session.open("inner").await)?.into_async::<Tokio>();
            c.want(inner.depth().await, 1);
            c.exception(
                suite
                    .raise(ExceptionCode::IllegalState as i32, "later")
                    .await,
                ExceptionCode::IllegalState,
                "later",
            );
            Some(())
        })
    });
}

fn memory(check: Checks, suite: &Strong<dyn ISuite>) {
    check("memory", "memory that both have mapped", &mut |c| {
        const SIZE: usize = 64 << 10;
        let memory = c.get(SharedMemory::create(SIZE))?;
        let data = noise(SIZE, 5);
        memory.write_at(0, &data).ok()?;
        let file = c.get(memory.to_parcel_fd())?;
        let want = data.iter().map(|byte| *byte as i64).sum();
        c.want(suite.share(&file), want);
        let mut after = vec![0; SIZE];
        memory.read_at(0, &mut after).ok()?;
        c.same(
            after
                .iter()
                .zip(&data)
                .all(|(after, before)| *after == before.wrapping_add(1)),
            true,
        );
        Some(())
    });
}

fn streams(check: Checks, name: &str) {
    check("memory", "2000 records through a stream", &mut |c| {
        let streams = c.get(find::<dyn IStreams>(&format!("{name}.streams")))?;
        let (mut records, endpoint) = c.get(Receiver::<Record>::new(&streams.as_binder()))?;
        c.same(records.uses_ring(), true);
        c.get(streams.stream(&endpoint, 2000))?;
        for number in 0..2000 {
            c.want(records.recv()?.map(|record| record.number), number);
        }
        c.same(records.recv().is_none(), true);
        Some(())
    });
}

fn lazy(check: Checks) {
    check(
        "register",
        "a lazy service ends when nobody uses it",
        &mut |c| {
            let mut process = Process::start(&["lazy", "test.rust.lazy"]);
            let echo = c.get(find::<dyn IEcho>("test.rust.lazy"))?;
            c.want(echo.upper("lazy"), "LAZY".to_string());
            drop(echo);
            c.eventually(Some(0), || {
                process
                    .child
                    .try_wait()
                    .map(|status| status.and_then(|status| status.code()))
            });
            c.same(
                rsbinder::hub::check_service("test.rust.lazy").is_none(),
                true,
            );
            Some(())
        },
    );
}

fn deaths(
    check: Checks,
    suite: Strong<dyn ISuite>,
    name: &str,
    language: &str,
    process: &mut Process,
) {
    check("death", "a service learns that a client died", &mut |c| {
        let mut other = Process::start(&["listener", name]);
        c.same(other.line().as_deref(), Some("listening"));
        let with = c.get(suite.listeners())?;
        c.same(other.kill(), Some(libc::SIGKILL));
        c.eventually(with - 1, || suite.listeners());
        Some(())
    });
    check(
        "death",
        "a service that ends in the middle of a call",
        &mut |c| {
            let mut other = Process::of(language, &["suite", "test.ends"]);
            let ends = c.get(find::<dyn ISuite>("test.ends"))?;
            c.failure(ends.exit(7), StatusCode::DeadObject);
            c.same(other.child.wait().ok()?.code(), Some(7));
            c.failure(ends.exit(7), StatusCode::DeadObject);
            Some(())
        },
    );
    check(
        "death",
        "every recipient of every object is notified, once",
        &mut |c| {
            let mut sessions = Vec::new();
            for i in 0..30 {
                sessions.push(c.get(suite.open(&i.to_string()))?);
            }
            let (mourner, deaths) = Mourner::new();
            let (unlinked, silence) = Mourner::new();
            for session in &sessions {
                c.get(session.link_to_death_arc(&mourner))?;
                c.get(session.link_to_death_arc(&unlinked))?;
            }
            for session in &sessions {
                c.get(session.unlink_to_death_arc(&unlinked))?;
            }
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .ok()?;
            let signal = c.get(rsbinder::death_signal(&suite.as_binder()))?;
            c.same(process.kill(), Some(libc::SIGKILL));
            runtime.block_on(signal);
            let mut dead = Vec::new();
            for _ in &sessions {
                dead.push(c.get(deaths.recv_timeout(HUNG))?);
            }
            for session in &sessions {
                c.same(
                    dead.iter()
                        .filter(|who| **who == session.as_binder())
                        .count(),
                    1,
                );
            }
            c.same(
                deaths.try_recv().is_err() && silence.try_recv().is_err(),
                true,
            );
            c.error(suite.as_binder().ping_binder(), StatusCode::DeadObject);
            c.failure(suite.sessions(), StatusCode::DeadObject);
            c.error(
                sessions[0].link_to_death_arc(&mourner),
                StatusCode::DeadObject,
            );
            Some(())
        },
    );
    check("death", "a service is replaced twenty times", &mut |c| {
        for i in 0..20 {
            let mut next = Process::of(language, &["service", "test.next"]);
            c.same(next.line().as_deref(), Some("registered"));
            let echo = c.get(find::<dyn IEcho>("test.next"))?;
            c.want(echo.add(i, 1), i + 1);
            let (mourner, deaths) = Mourner::new();
            c.get(echo.link_to_death_arc(&mourner))?;
            c.same(next.kill(), Some(libc::SIGKILL));
            c.get(deaths.recv_timeout(HUNG))?;
            c.failure(echo.add(i, 1), StatusCode::DeadObject);
        }
        Some(())
    });
}

fn reconnecting(check: Checks) {
    check(
        "death",
        "a client finds the next service on its own",
        &mut |c| {
            let name = "test.rust.again";
            let mut process = Process::start(&["service", name]);
            c.same(process.line().as_deref(), Some("registered"));
            let echo =
                c.get(Reconnecting::<dyn IEcho>::builder(kernel().with_service(name)).build())?;
            for i in 1..=10 {
                c.want(echo.with(|echo| echo.add(i, 1)), i + 1);
                c.same(process.kill(), Some(libc::SIGKILL));
                process = Process::start(&["service", name]);
                c.same(process.line().as_deref(), Some("registered"));
                c.eventually(1 + i as u64, || Ok::<_, ()>(echo.generation()));
            }
            Some(())
        },
    );
}

/// Leaves a listener with a service and waits to be killed.
pub fn listener(name: &str) -> ExitCode {
    let (listener, _heard) = Listener::new_binder();
    match find::<dyn ISuite>(name).map(|suite| suite.addListener(&listener)) {
        Ok(Ok(())) => {
            println!("listening");
            loop {
                std::thread::park();
            }
        }
        err => {
            println!("{err:?}");
            ExitCode::FAILURE
        }
    }
}
