// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! Counting of checks and of the calls that they make.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use rsbinder::{ExceptionCode, Status, StatusCode};

/// How long anything may take before it is considered hung. Nothing waits this long
/// otherwise.
pub const HUNG: Duration = Duration::from_secs(60);

/// The language of the clients here, in the table of calls.
pub const RUST: &str = "rust";

#[derive(Default)]
pub struct Report {
    passed: u32,
    failed: u32,
    /// By server and kind: calls made, and those whose answer was wrong.
    calls: BTreeMap<(String, &'static str), (u64, u64)>,
}

/// One check, which passes if all of its expectations hold.
#[derive(Default)]
pub struct Check(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    calls: u64,
    failures: u64,
    /// The first thing found wrong.
    wrong: Option<(String, String)>,
}

impl Check {
    fn count(&self, call: bool, wrong: Option<(String, String)>) -> bool {
        let mut counts = self.0.lock().unwrap();
        counts.calls += call as u64;
        let Some(wrong) = wrong else { return true };
        counts.failures += 1;
        counts.wrong.get_or_insert(wrong);
        false
    }

    /// Counts a call, and returns its answer if it has one.
    pub fn get<T, E: Debug>(&self, got: Result<T, E>) -> Option<T> {
        match got {
            Ok(got) => {
                self.count(true, None);
                Some(got)
            }
            Err(err) => {
                self.count(true, Some((format!("{err:?}"), "an answer".into())));
                None
            }
        }
    }

    /// Counts a call, whose answer should be want.
    pub fn want<T: Debug + PartialEq, E: Debug>(&self, got: Result<T, E>, want: T) -> bool {
        match self.get(got) {
            Some(got) => self.same(got, want),
            None => false,
        }
    }

    /// Checks that got equals want, without counting a call.
    pub fn same<T: Debug + PartialEq>(&self, got: T, want: T) -> bool {
        let differ = (got != want).then(|| (format!("{got:?}"), format!("{want:?}")));
        self.count(false, differ)
    }

    /// Counts a call, whose answer should be this exception.
    pub fn exception<T: Debug>(
        &self,
        got: Result<T, Status>,
        exception: ExceptionCode,
        message: &str,
    ) -> bool {
        let got = got.map_err(|err| {
            (
                err.exception_code(),
                err.message().unwrap_or("").to_string(),
            )
        });
        self.error(got, (exception, message.to_string()))
    }

    /// Counts a call, which should have failed without an answer.
    pub fn failure<T: Debug>(&self, got: Result<T, Status>, want: StatusCode) -> bool {
        self.error(got.map_err(|err| err.transaction_error()), want)
    }

    /// Counts a call, which should have failed with this error.
    pub fn error<T: Debug, E: Debug + PartialEq>(&self, got: Result<T, E>, want: E) -> bool {
        let wrong = match &got {
            Err(err) if *err == want => None,
            got => Some((format!("{got:?}"), format!("{want:?}"))),
        };
        self.count(true, wrong)
    }

    /// Calls f until it returns want, and counts the calls.
    ///
    /// For states that nothing reports.
    pub fn eventually<T: Debug + PartialEq, E: Debug>(
        &self,
        want: T,
        mut f: impl FnMut() -> Result<T, E>,
    ) -> bool {
        let start = std::time::Instant::now();
        loop {
            match self.get(f()) {
                None => return false,
                Some(got) if got == want || start.elapsed() > HUNG => return self.same(got, want),
                Some(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

impl Report {
    /// Runs a check of calls of one kind to a server in some language.
    pub fn check(
        &mut self,
        server: &str,
        kind: &'static str,
        name: &str,
        f: impl FnOnce(&Check) -> Option<()>,
    ) {
        let check = Check::default();
        let finished = f(&check).is_some();
        let counts = check.0.into_inner().unwrap();
        self.add(server, kind, counts.calls, counts.failures);
        match counts.wrong {
            None if finished => {
                self.passed += 1;
                println!("ok     {name}");
            }
            wrong => {
                self.failed += 1;
                println!("FAILED {name}");
                let (got, want) = wrong.unwrap_or_default();
                println!("       got   {}", shortened(&got));
                println!("       want  {}", shortened(&want));
            }
        }
    }

    pub fn add(&mut self, server: &str, kind: &'static str, calls: u64, failures: u64) {
        let total = self.calls.entry((server.to_string(), kind)).or_default();
        total.0 += calls;
        total.1 += failures;
    }

    /// Prints the line of JSON, with additional members of its object, and returns the
    /// exit status.
    pub fn finish(&self, more: &str) -> ExitCode {
        let calls: Vec<String> = self
            .calls
            .iter()
            .map(|((server, kind), (calls, failures))| {
                format!("[\"{RUST}\", \"{server}\", \"{kind}\", {calls}, {failures}]")
            })
            .collect();
        println!(
            "{{\"passed\": {}, \"failed\": {}, \"calls\": [{}]{more}}}",
            self.passed,
            self.failed,
            calls.join(", ")
        );
        let failures: u64 = self.calls.values().map(|(_, failures)| failures).sum();
        ExitCode::from((self.failed > 0 || failures > 0) as u8)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text.to_string(),
    }
}
