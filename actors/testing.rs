//! What the tests of this crate share.

use engine::{
    http::{Method, Request, Response},
    seam::Trouble,
};
use jiff::Timestamp;
use std::{future::Future, time::Duration};

use crate::world::World;

/// Run in a World on this thread, with a paused clock that begins at the Unix epoch.
pub(crate) fn simulate<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    });
    system.block_on(async { test(World::single(Timestamp::UNIX_EPOCH, 1)).await });
}

pub(crate) fn get(url: &str) -> Request {
    Request {
        method: Method::Get,
        url: url.into(),
        headers: Vec::new(),
        body: String::new(),
        timeout: Duration::from_secs(5),
        skip_tls_verify: false,
        proxy: None,
    }
}

pub(crate) fn post(url: &str) -> Request {
    Request {
        method: Method::Post,
        body: "{}".into(),
        ..get(url)
    }
}

/// An answer without a body.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the form in which answers are sent and compared"
)]
pub(crate) fn answer(status: u16) -> Result<Response, Trouble> {
    Ok(Response {
        status,
        body: String::new(),
        retry_after: None,
    })
}

/// A canary of the namespace `test`, as an API server has it.
pub(crate) fn canary(name: &str) -> crds::Canary {
    let mut canary = crds::Canary::new(name, crds::CanarySpec::default());
    canary.spec.target_ref.name = name.into();
    canary.metadata.namespace = Some("test".into());
    canary.metadata.uid = Some("u-1".into());
    canary
}
