//! News of work that is being done in this process.
//!
//! The records are the truth, and events are made from them; news only say "look now", and carry
//! previews, which are nobody's record.

use std::sync::Arc;

use tokio::sync::broadcast;

/// News that nobody took are dropped beyond this many.
const BACKLOG: usize = 64;

/// News of a record.
#[derive(Debug, Clone)]
pub struct News {
    /// The record.
    pub id: Arc<str>,
    /// The picture so far, if there is one.
    pub preview: Option<Preview>,
}

/// An unfinished image.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Its place in the generation, from 0.
    pub image: u32,
    /// Denoising steps done.
    pub step: u32,
    /// Denoising steps in all.
    pub steps: u32,
    /// The picture as PNG.
    pub png: Arc<[u8]>,
}

/// Where news are told and heard.
#[derive(Debug, Clone)]
pub struct Progress(broadcast::Sender<News>);

impl Default for Progress {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Progress {
    /// Tells news; nobody needs to listen.
    pub fn tell(&self, id: &str, preview: Option<Preview>) {
        // An error says that nobody listens.
        let _ = self.0.send(News { id: id.into(), preview });
    }

    /// Listens to what is told from now on.
    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.0.subscribe()
    }
}
