//! The log as a stream of comma-separated values, so that a log of years fits in memory.

use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use sea_orm::DatabaseConnection;
use skiagraph_compliance::audit::{Event, csv_header, csv_record};

use crate::error::ApiError;
use crate::models;
use crate::models::audit::Filter;

/// The matching events, in the order of the log, after a line of column names.
pub fn csv(
    db: DatabaseConnection,
    filter: Filter,
) -> impl Stream<Item = Result<Bytes, ApiError>> + 'static {
    let header = stream::once(async { Ok(Bytes::from(csv_header()?)) });
    let rows = stream::try_unfold((db, filter, None), |(db, filter, after)| async move {
        let rows = models::audit::matching_after(&db, &filter, after).await?;
        let Some(last) = rows.last().map(|row| row.sequence) else { return Ok(None) };
        let mut lines = Vec::new();
        for row in rows {
            lines.extend(csv_record(&Event::from(row))?);
        }
        Ok::<_, ApiError>(Some((Bytes::from(lines), (db, filter, Some(last)))))
    });
    futures::StreamExt::chain(header, rows.into_stream())
}
