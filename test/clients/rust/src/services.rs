// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//! Registering and finding services.
//!
//! On systems other than Android, rsbinder only supports the service manager of
//! Android 16, rsb_hub's. This module supports Android 14's as well.

use std::time::{Duration, Instant};

use rsbinder::{Endpoint, FromIBinder, ProcessState, Result, SIBinder, StatusCode, Strong, Uri};

use crate::report::HUNG;
use crate::test::IServiceManager14::IServiceManager14;

/// Where services are registered and found.
pub fn kernel() -> Uri {
    let device = std::env::var_os("BINDER_DEVICE");
    Uri::new(match device {
        Some(path) => {
            Endpoint::Kernel(rsbinder::entry::KernelEndpoint::default().with_driver(path))
        }
        None => Endpoint::kernel(),
    })
}

/// Lets this process call services.
pub fn open() -> Result<()> {
    rsbinder::Client::open(kernel()).map(|_| ())
}

/// Lets this process offer services, in separate threads.
pub fn serve() -> Result<()> {
    rsbinder::serve(kernel())?.spawn().map(|_| ())
}

/// Returns whether the service manager is the one that rsbinder supports.
pub fn has_own_manager() -> bool {
    std::env::var("SERVICE_MANAGER").map_or(true, |manager| manager != "aosp")
}

/// Returns the service manager if it is Android 14's.
fn android_14() -> Result<Option<Strong<dyn IServiceManager14>>> {
    if has_own_manager() {
        return Ok(None);
    }
    FromIBinder::try_from(ProcessState::as_self().context_object()?).map(Some)
}

/// Registers a service.
pub fn add(name: &str, service: SIBinder) -> Result<()> {
    match android_14()? {
        Some(manager) => manager.addService(
            name,
            &service,
            false,
            rsbinder::hub::DUMP_FLAG_PRIORITY_DEFAULT,
        ),
        None => rsbinder::hub::add_service(name, service),
    }
    .map_err(StatusCode::from)
}

/// Returns a service, or NameNotFound.
pub fn check<T: FromIBinder + ?Sized>(name: &str) -> Result<Strong<T>> {
    match android_14()? {
        Some(manager) => match manager.getService(name).map_err(StatusCode::from)? {
            Some(service) => FromIBinder::try_from(service),
            None => Err(StatusCode::NameNotFound),
        },
        None => rsbinder::hub::check_interface(name),
    }
}

/// Waits for a service.
pub fn find<T: FromIBinder + ?Sized>(name: &str) -> Result<Strong<T>> {
    open()?;
    if has_own_manager() {
        return rsbinder::connect(kernel().with_service(name));
    }
    let start = Instant::now();
    loop {
        match check(name) {
            Err(StatusCode::NameNotFound) if start.elapsed() < HUNG => {
                std::thread::sleep(Duration::from_millis(5))
            }
            found => return found,
        }
    }
}
