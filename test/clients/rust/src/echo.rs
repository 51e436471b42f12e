// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! The service that clients in every language call.

use std::collections::HashMap;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::Mutex;

use rsbinder::{BinderResult, Interface, ParcelFileDescriptor, Status, StatusCode, Strong, Tokio};

use crate::services;
use crate::test::IEcho::{BnEcho, IEcho, IEchoAsyncService};
use crate::test::IListener::IListener;

#[derive(Default)]
pub struct Echo {
    notes: AtomicI32,
    /// By tag, the last number, or -1.
    heard: Mutex<HashMap<String, i32>>,
    /// Prints each note.
    print: bool,
}

/// Provides the service until the process is killed.
pub fn run(name: &str, print: bool) -> ExitCode {
    let echo = BnEcho::new_binder(Echo {
        print,
        ..Default::default()
    });
    match services::serve().and_then(|()| services::add(name, echo.as_binder())) {
        Ok(()) => {
            println!("registered");
            // Other threads do all the work.
            loop {
                std::thread::park();
            }
        }
        Err(err) => {
            println!("refused {err:?}");
            ExitCode::FAILURE
        }
    }
}

/// Returns a file of the standard library.
pub fn file(file: ParcelFileDescriptor) -> std::fs::File {
    std::os::fd::OwnedFd::from(file).into()
}

/// Returns the PID and UID of the current call's sender.
pub fn caller() -> (i32, u32) {
    (
        rsbinder::get_calling_pid() as i32,
        rsbinder::get_calling_uid() as u32,
    )
}

pub fn io_status(err: std::io::Error) -> Status {
    StatusCode::from(err).into()
}

impl Interface for Echo {
    fn dump(&self, writer: &mut dyn Write, args: &[String]) -> rsbinder::Result<()> {
        writeln!(
            writer,
            "{} notes {}",
            self.notes.load(Ordering::SeqCst),
            args.join(" ")
        )?;
        Ok(())
    }
}

impl IEcho for Echo {
    fn upper(&self, text: &str) -> BinderResult<String> {
        Ok(text.to_ascii_uppercase())
    }

    fn add(&self, a: i32, b: i32) -> BinderResult<i32> {
        Ok(a.wrapping_add(b))
    }

    fn note(&self, text: &str) -> BinderResult<()> {
        if self.print {
            let (pid, uid) = caller();
            println!("note {text} {pid} {uid}");
        }
        if let Some((tag, Ok(number))) = text
            .split_once(' ')
            .map(|(tag, number)| (tag, number.parse()))
        {
            let mut heard = self.heard.lock().unwrap();
            let last = heard.entry(tag.to_string()).or_default();
            *last = if *last >= 0 && *last + 1 == number {
                number
            } else {
                -1
            };
        }
        self.notes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn callBack(&self, listener: &Strong<dyn IListener>, text: &str) -> BinderResult<String> {
        Ok(listener.onEvent(text)? + "!")
    }

    fn reverse(&self, data: &[u8]) -> BinderResult<Vec<u8>> {
        Ok(data.iter().rev().copied().collect())
    }

    fn writeFile(&self, file: &ParcelFileDescriptor, text: &str) -> BinderResult<i32> {
        let mut file = crate::echo::file(file.try_clone()?);
        file.write_all(text.as_bytes()).map_err(io_status)?;
        Ok(text.len() as i32)
    }

    fn openFile(&self, text: &str) -> BinderResult<ParcelFileDescriptor> {
        let (reader, writer) = ParcelFileDescriptor::pipe()?;
        let mut writer = file(writer);
        writer.write_all(text.as_bytes()).map_err(io_status)?;
        Ok(reader)
    }

    fn caller(&self) -> BinderResult<i64> {
        let (pid, uid) = caller();
        Ok((pid as i64) << 32 | uid as i64)
    }

    fn fail(&self, code: i32, message: &str) -> BinderResult<()> {
        Err(Status::new_service_specific_error(
            code,
            Some(message.to_string()),
        ))
    }

    fn notes(&self) -> BinderResult<i32> {
        Ok(self.notes.load(Ordering::SeqCst))
    }

    fn heard(&self, tag: &str) -> BinderResult<i32> {
        Ok(self.heard.lock().unwrap().get(tag).copied().unwrap_or(0))
    }
}

/// The same service as asynchronous code, which yields its thread before it answers.
pub struct AsyncEcho(pub Echo);

impl Interface for AsyncEcho {}

#[rsbinder::__async_trait]
impl IEchoAsyncService for AsyncEcho {
    async fn upper(&self, text: &str) -> BinderResult<String> {
        tokio::task::yield_now().await;
        self.0.upper(text)
    }

    async fn add(&self, a: i32, b: i32) -> BinderResult<i32> {
        tokio::task::yield_now().await;
        self.0.add(a, b)
    }

    async fn note(&self, text: &str) -> BinderResult<()> {
        tokio::task::yield_now().await;
        self.0.note(text)
    }

    async fn callBack(&self, listener: &Strong<dyn IListener>, text: &str) -> BinderResult<String> {
        let listener = listener.clone().into_async::<Tokio>();
        Ok(listener.onEvent(text).await? + "!")
    }

    async fn reverse(&self, data: &[u8]) -> BinderResult<Vec<u8>> {
        tokio::task::yield_now().await;
        self.0.reverse(data)
    }

    async fn writeFile(&self, file: &ParcelFileDescriptor, text: &str) -> BinderResult<i32> {
        self.0.writeFile(file, text)
    }

    async fn openFile(&self, text: &str) -> BinderResult<ParcelFileDescriptor> {
        self.0.openFile(text)
    }

    async fn caller(&self) -> BinderResult<i64> {
        self.0.caller()
    }

    async fn fail(&self, code: i32, message: &str) -> BinderResult<()> {
        tokio::task::yield_now().await;
        self.0.fail(code, message)
    }

    async fn notes(&self) -> BinderResult<i32> {
        self.0.notes()
    }

    async fn heard(&self, tag: &str) -> BinderResult<i32> {
        self.0.heard(tag)
    }
}
