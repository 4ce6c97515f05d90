//! A record's progress as server-sent events (WHATWG HTML 9.2).
//!
//! Events are made from the record, which is looked at when news come and twice a second anyway:
//! the worker may be another process.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::progress::{News, Preview};

/// How often the record is looked at when there are no news of it.
const LOOK: Duration = Duration::from_millis(500);
/// A line that says nothing, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends before the token that opened it does; whoever still wants it asks again, and is
/// asked for a token.
const LONGEST: Duration = Duration::from_mins(14);

/// A record at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// What the event says.
    pub data: Value,
    /// Nothing will happen any more.
    pub over: bool,
}

/// Looks at the record; `None` where it is gone or cannot be read.
type Look = Box<dyn FnMut() -> BoxFuture<'static, Option<Snapshot>>>;

struct Watch {
    id: String,
    look: Look,
    news: Receiver<News>,
    shutdown: CancellationToken,
    tick: Interval,
    last: Option<Snapshot>,
    /// Events that are ready to be sent.
    ready: VecDeque<Bytes>,
    spoke: Instant,
    until: Instant,
    ended: bool,
}

/// The events of the record `id`: `progress` whenever it changes, `preview` for unfinished images
/// that are made in this process, and `done` with the last state at the end.
pub fn stream(
    id: String,
    news: Receiver<News>,
    shutdown: CancellationToken,
    look: impl FnMut() -> BoxFuture<'static, Option<Snapshot>> + 'static,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watch = Watch {
        id,
        look: Box::new(look),
        news,
        shutdown,
        tick,
        last: None,
        ready: VecDeque::new(),
        spoke: Instant::now(),
        until: Instant::now() + LONGEST,
        ended: false,
    };
    stream::unfold(watch, |mut watch| async {
        loop {
            if let Some(bytes) = watch.ready.pop_front() {
                watch.spoke = Instant::now();
                return Some((Ok(bytes), watch));
            }
            if watch.ended || Instant::now() >= watch.until {
                return None;
            }
            watch.wait().await;
        }
    })
}

impl Watch {
    /// Waits for the next moment at which there may be something to say.
    async fn wait(&mut self) {
        tokio::select! {
            news = self.news.recv() => match news {
                Ok(news) if *news.id == *self.id => {
                    if let Some(preview) = &news.preview {
                        self.ready.push_back(preview_event(preview));
                    }
                }
                // News of others, or more than could be held: the record is looked at on the
                // next tick.
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => {
                    self.tick.tick().await;
                }
            },
            _ = self.tick.tick() => {}
            () = self.shutdown.cancelled() => {
                self.ended = true;
                return;
            }
        }
        let Some(snapshot) = (self.look)().await else {
            self.ended = true;
            return;
        };
        if self.last.as_ref() != Some(&snapshot) {
            self.ready.push_back(event("progress", &snapshot.data));
        }
        if snapshot.over {
            self.ready.push_back(event("done", &snapshot.data));
            self.ended = true;
        } else if self.ready.is_empty() && self.spoke.elapsed() >= HEARTBEAT {
            self.ready.push_back(Bytes::from_static(b": still here\n\n"));
        }
        self.last = Some(snapshot);
    }
}

fn event(name: &str, data: &Value) -> Bytes {
    // JSON of serde_json holds no line ends, so one `data` line carries it.
    let mut text = String::new();
    let _ = write!(text, "event: {name}\ndata: {data}\n\n");
    Bytes::from(text)
}

fn preview_event(preview: &Preview) -> Bytes {
    let data = json!({
        "image": preview.image,
        "step": preview.step,
        "steps": preview.steps,
        "png_base64": base64(&preview.png),
    });
    event("preview", &data)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let sextet = (word >> (18 - 6 * place)) & 63;
            let letter = if place <= chunk.len() { ALPHABET[sextet as usize] } else { b'=' };
            text.push(char::from(letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use futures::StreamExt;

    use super::*;
    use crate::jobs::Progress;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[tokio::test]
    async fn events_follow_the_record_and_end_with_done() {
        let step = Arc::new(Mutex::new(0));
        let news = Progress::default();
        let looked = Arc::clone(&step);
        let stream = stream("a".to_owned(), news.listen(), CancellationToken::new(), move || {
            let mut step = looked.lock().unwrap();
            *step += 1;
            // The record changes at every other look, and is over at the fifth.
            let snapshot = Snapshot { data: json!({ "step": *step / 2 }), over: *step == 5 };
            Box::pin(async move { Some(snapshot) })
        });
        let events: Vec<String> =
            stream.map(|event| String::from_utf8(event.unwrap().to_vec()).unwrap()).collect().await;
        assert_eq!(
            events,
            [
                "event: progress\ndata: {\"step\":0}\n\n",
                "event: progress\ndata: {\"step\":1}\n\n",
                "event: progress\ndata: {\"step\":2}\n\n",
                "event: progress\ndata: {\"step\":2}\n\n",
                "event: done\ndata: {\"step\":2}\n\n",
            ]
        );
    }
}
