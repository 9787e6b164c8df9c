//! Bodies of answers: one piece, or a watch.

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

/// Body of an answer of the sandbox.
pub struct SandboxBody(Content);

enum Content {
    Whole(Option<Bytes>),
    Lines(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

// === impl SandboxBody ===

impl SandboxBody {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self(Content::Whole(Some(bytes)))
    }

    pub(super) fn lines(stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self(Content::Lines(Box::pin(stream)))
    }
}

impl fmt::Debug for SandboxBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Whole(bytes) => formatter.debug_tuple("Whole").field(bytes).finish(),
            Content::Lines(_) => formatter.write_str("Lines"),
        }
    }
}

impl http_body::Body for SandboxBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.0 {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Lines(stream) => stream
                .as_mut()
                .poll_next(context)
                .map(|line| line.map(|line| line.map(Frame::data))),
        }
    }
}
