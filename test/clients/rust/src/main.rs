// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! Services and clients on rsbinder's public interface.
//!
//!     rsb_test checks [LANGUAGE]          clients of ISuite, with rsbinder or another
//!     rsb_test service NAME               offers IEcho
//!     rsb_test client NAME LANGUAGE       calls an IEcho, whatever it is written in
//!     rsb_test freeze NAME LANGUAGE PID   freezes and thaws the process with an IEcho
//!     rsb_test suite NAME                 offers an ISuite
//!     rsb_test soak-server NAME           offers IEcho, quietly
//!     rsb_test soak-client SECONDS NAME[:LANGUAGE]...
//!
//! checks prints one line for each check, and finally the calls that they made, as
//! a line of JSON:
//!
//!     {"passed": N, "failed": N, "calls": [[CLIENT, SERVER, KIND, CALLS, FAILURES], ...]}
//!
//! soak-client prints that line every second, and failures above it. The exit
//! status is 1 if anything failed. BINDER_DEVICE replaces rsbinder's default
//! device; if SERVICE_MANAGER is aosp, the service manager is Android 14's.

mod checks;
mod client;
mod echo;
mod report;
mod services;
mod soak;
mod suite;

use std::process::ExitCode;

rsbinder::include_aidl!("interfaces");
use org::sentrybinder::test;

fn main() -> ExitCode {
    // rsbinder logs failures, even expected ones.
    if std::env::var_os("RUST_LOG").is_some() {
        env_logger::init();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["checks"] => checks::run(report::RUST),
        ["checks", language] => checks::run(language),
        ["client", name, language] => client::run(name, language),
        ["freeze", name, language, pid] => match pid.parse() {
            Ok(pid) => client::freeze(name, language, pid),
            _ => usage(),
        },
        ["service", name] => echo::run(name, true),
        ["soak-server", name] => echo::run(name, false),
        ["soak-client", seconds, ref names @ ..] => match seconds.parse() {
            Ok(seconds) if !names.is_empty() => soak::run(seconds, names),
            _ => usage(),
        },
        ["suite", name] => suite::run(name),
        // Started by checks.
        ["lazy", name] => suite::run_lazy(name),
        ["identity", name] => checks::identity(name),
        ["listener", name] => checks::listener(name),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: rsb_test checks [LANGUAGE] | suite NAME | service NAME | client NAME LANGUAGE | freeze NAME LANGUAGE PID | soak-server NAME | soak-client SECONDS NAME[:LANGUAGE]...");
    ExitCode::from(2)
}
