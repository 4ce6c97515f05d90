//! The log as a stream in one of its forms, so that a log of years fits in memory.

use bytes::Bytes;
use futures::{Stream, stream};
use sea_orm::{DatabaseConnection, DbErr};
use skiagraph_compliance::audit::{Event, Exporter, Selection, Selector};

use crate::error::ApiError;
use crate::models;
use crate::models::audit::Filter;

/// Which rows an export holds: those that fit the filter up to `through`, and the checkpoint that signs
/// them.
#[derive(Debug)]
pub struct Rows {
    /// Which rows fit.
    pub filter: Filter,
    /// Number of the last one.
    pub through: i64,
    /// Number of the checkpoint, where it is none of them.
    pub checkpoint: Option<i64>,
}

/// Walks the rows that fit: what a checkpoint signs of them, and the number of the last one. Rows that
/// are appended meanwhile may or may not be among them.
pub async fn select(db: &DatabaseConnection, filter: &Filter) -> Result<(Selection, i64), DbErr> {
    let mut selector = Selector::default();
    let mut last = None;
    loop {
        let rows = models::audit::matching_after(db, filter, last).await?;
        let Some(row) = rows.last() else { break };
        last = Some(row.sequence);
        for row in &rows {
            selector.push(row.sequence, &row.hash);
        }
    }
    Ok((selector.finish(), last.unwrap_or(0)))
}

/// The rows in the order of the log, a page of them at a time.
pub fn export(
    db: DatabaseConnection,
    exporter: Exporter,
    rows: Rows,
) -> impl Stream<Item = Result<Bytes, ApiError>> + 'static {
    let walk = Walk { db, exporter, rows, after: None };
    stream::try_unfold(Some(walk), |walk| async move {
        let Some(mut walk) = walk else { return Ok(None) };
        let (text, more) = walk.page().await?;
        Ok(Some((Bytes::from(text), more.then_some(walk))))
    })
}

struct Walk {
    db: DatabaseConnection,
    exporter: Exporter,
    rows: Rows,
    after: Option<i64>,
}

impl Walk {
    /// The next piece of the file, and whether there are more.
    async fn page(&mut self) -> Result<(String, bool), ApiError> {
        let mut text = String::new();
        if self.after.is_none() {
            self.exporter.begin(&mut text)?;
        }
        let page = models::audit::matching_after(&self.db, &self.rows.filter, self.after).await?;
        let more = page.last().is_some_and(|row| row.sequence < self.rows.through);
        for row in page.into_iter().filter(|row| row.sequence <= self.rows.through) {
            self.after = Some(row.sequence);
            self.exporter.event(&mut text, &Event::from(row))?;
        }
        if more {
            return Ok((text, true));
        }
        if let Some(sequence) = self.rows.checkpoint
            && let Some(row) = models::audit::row(&self.db, sequence).await?
        {
            self.exporter.event(&mut text, &Event::from(row))?;
        }
        self.exporter.end(&mut text)?;
        Ok((text, false))
    }
}
