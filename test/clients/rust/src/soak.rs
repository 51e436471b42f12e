// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! A client that calls services which are constantly killed and restarted.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rsbinder::{BinderResult, ParcelFileDescriptor, StatusCode, Strong};

use crate::client::{noise, read_all, Listener, Random};
use crate::echo::io_status;
use crate::report::Report;
use crate::test::IEcho::IEcho;

/// How often the calls so far are reported.
const TELL: Duration = Duration::from_secs(1);

/// How long one-way calls may take to arrive.
const LOST: Duration = Duration::from_secs(150);

/// How many failures are reported individually.
const TOLD: u32 = 5;

static ENDED: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_: libc::c_int) {
    ENDED.store(true, Ordering::Relaxed);
}

/// A service that may be called.
struct Service<'a> {
    name: &'a str,
    language: &'a str,
    /// The service's object, and the tag of the notes to it.
    echo: Option<(Strong<dyn IEcho>, String)>,
    /// How many notes were sent with the tag.
    notes: i32,
}

/// Calls the services for a time, or until SIGTERM.
pub fn run(seconds: u64, names: &[&str]) -> ExitCode {
    // SAFETY: the handler only stores into an atomic.
    unsafe { libc::signal(libc::SIGTERM, end as *const () as libc::sighandler_t) };
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut services: Vec<Service> = names
        .iter()
        .map(|name| {
            let (name, language) = name.split_once(':').unwrap_or((name, "any"));
            Service {
                name,
                language,
                echo: None,
                notes: 0,
            }
        })
        .collect();
    if let Err(err) = crate::services::open() {
        eprintln!("soak-client: {err:?}");
        return ExitCode::FAILURE;
    }
    let mut random = Random::new(std::process::id() as u64);
    let mut report = Report::default();
    let (mut dead, mut failures, mut tags, mut longest, mut told) = (0, 0, 0, 0, Instant::now());
    let more = |dead, longest| format!(", \"dead\": {dead}, \"longest_ms\": {longest}");
    while !ENDED.load(Ordering::Relaxed) && Instant::now() < until {
        let choice = random.below(services.len() as u64) as usize;
        let service = &mut services[choice];
        let (start, notes) = (Instant::now(), service.notes);
        let (kind, result) = match &service.echo {
            None => ("lookup", service.look_up(&mut tags)),
            Some((echo, tag)) => call(echo, tag, &mut service.notes, &mut random),
        };
        longest = longest.max(start.elapsed().as_millis());
        match result {
            Ok(None) if kind == "lookup" => {}
            Ok(None) => {
                // Each note is a call.
                let calls = (service.notes - notes).max(1);
                report.add(service.language, kind, calls as u64, 0);
            }
            Err(err)
                if matches!(
                    err.transaction_error(),
                    StatusCode::DeadObject | StatusCode::NameNotFound
                ) =>
            {
                dead += 1;
                service.echo = None;
                std::thread::sleep(Duration::from_millis(20 + random.below(80)));
            }
            wrong => {
                report.add(service.language, kind, 1, 1);
                failures += 1;
                if failures <= TOLD {
                    println!("FAILED {kind}: {}: {wrong:?}", service.name);
                }
            }
        }
        if told.elapsed() > TELL {
            report.finish(&more(dead, longest));
            told = Instant::now();
        }
        // There are a hundred of these clients.
        std::thread::sleep(Duration::from_millis(5));
    }
    report.finish(&more(dead, longest))
}

impl Service<'_> {
    fn look_up(&mut self, tags: &mut u32) -> BinderResult<Option<String>> {
        let echo = crate::services::check(self.name)?;
        *tags += 1;
        self.echo = Some((echo, format!("{}.{tags}", std::process::id())));
        self.notes = 0;
        Ok(None)
    }
}

/// Makes a call, or several one-way calls. Returns the kind, and what was wrong with the
/// answer.
fn call(
    echo: &Strong<dyn IEcho>,
    tag: &str,
    notes: &mut i32,
    random: &mut Random,
) -> (&'static str, BinderResult<Option<String>>) {
    match random.below(6) {
        0 => {
            let (a, b) = (random.next() as i32, random.next() as i32);
            (
                "sync",
                echo.add(a, b).map(|got| differ(got, a.wrapping_add(b))),
            )
        }
        1 => {
            let text = text(random, 2000);
            (
                "sync",
                echo.upper(&text)
                    .map(|got| differ(got, text.to_ascii_uppercase())),
            )
        }
        2 => ("oneway", send_notes(echo, tag, notes, 1 + random.below(8))),
        3 => {
            let text = text(random, 200);
            let (listener, _) = Listener::new_binder();
            let want = text.chars().rev().collect::<String>() + "!";
            (
                "callback",
                echo.callBack(&listener, &text).map(|got| differ(got, want)),
            )
        }
        4 => (
            "fd",
            send_file(echo, &text(random, 200), random.below(2) == 0),
        ),
        _ => {
            let data = noise(random.below(65537) as usize, random.next());
            let want: Vec<u8> = data.iter().rev().copied().collect();
            ("large", echo.reverse(&data).map(|got| differ(got, want)))
        }
    }
}

/// Sends notes and waits until they have arrived.
fn send_notes(
    echo: &Strong<dyn IEcho>,
    tag: &str,
    notes: &mut i32,
    count: u64,
) -> BinderResult<Option<String>> {
    for _ in 0..count {
        *notes += 1;
        echo.note(&format!("{tag} {notes}"))?;
    }
    let start = Instant::now();
    let mut pause = Duration::from_micros(2500);
    loop {
        let asked = Instant::now();
        let heard = echo.heard(tag)?;
        if heard == *notes || heard < 0 || start.elapsed() > LOST {
            return Ok(differ(heard, *notes));
        }
        // Poll not much more often than needed, and less often if the service is busy:
        // all of these calls may precede each note, which waits until the previous one is
        // handled.
        pause = (2 * pause)
            .max(10 * asked.elapsed())
            .min(Duration::from_secs(10));
        std::thread::sleep(pause);
    }
}

/// Passes a file in the call, or gets one in the reply.
fn send_file(echo: &Strong<dyn IEcho>, text: &str, pass: bool) -> BinderResult<Option<String>> {
    let file = if pass {
        let (reader, writer) = ParcelFileDescriptor::pipe()?;
        let written = echo.writeFile(&writer, text)?;
        if written != text.len() as i32 {
            return Ok(differ(written, text.len() as i32));
        }
        drop(writer);
        reader
    } else {
        echo.openFile(text)?
    };
    Ok(differ(read_all(file).map_err(io_status)?, text.to_string()))
}

/// Returns an ASCII text of at most this length.
fn text(random: &mut Random, limit: u64) -> String {
    (0..random.below(limit + 1))
        .map(|_| (b' ' + random.below(95) as u8) as char)
        .collect()
}

fn differ<T: PartialEq + std::fmt::Debug>(got: T, want: T) -> Option<String> {
    (got != want).then(|| {
        let text = format!("got {got:?}, want {want:?}");
        text.chars().take(300).collect()
    })
}
