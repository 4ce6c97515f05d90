//! What the records of long work have in common: state, progress, error.
//!
//! Every change names the states it may come from, so that two workers, or a worker and somebody
//! who cancels, cannot undo each other's: a record that is over stays as it is.

use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DbErr};

use super::state::State;

/// The kinds of long work; each has its table, its queue and its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Build a data set.
    Dataset,
    /// Train an adapter.
    Run,
    /// Generate images.
    Generation,
    /// Send images to an archive.
    Transfer,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Dataset, Self::Run, Self::Generation, Self::Transfer];

    /// The name of its table, and of its queue.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Run => "runs",
            Self::Generation => "generations",
            Self::Transfer => "transfers",
        }
    }

    /// The name of one of its records.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Dataset => "dataset",
            Self::Run => "run",
            Self::Generation => "generation",
            Self::Transfer => "transfer",
        }
    }
}

const UNFINISHED: [&str; 2] = ["queued", "running"];

fn column(name: &'static str) -> Alias {
    Alias::new(name)
}

/// Where a record stands; `None` where there is none.
pub async fn state(
    db: &impl ConnectionTrait,
    kind: Kind,
    id: &str,
) -> Result<Option<State>, DbErr> {
    let query = Query::select()
        .column(column("state"))
        .from(Alias::new(kind.table()))
        .and_where(Expr::col(column("id")).eq(id))
        .to_owned();
    let Some(row) = db.query_one(&query).await? else { return Ok(None) };
    let word: String = row.try_get("", "state")?;
    Ok(State::parse(&word))
}

/// What the records have in common, of one of them.
#[derive(Debug)]
pub struct Record {
    /// Where it stands.
    pub state: State,
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// The common part of a record; `None` where there is none.
pub async fn get(db: &impl ConnectionTrait, kind: Kind, id: &str) -> Result<Option<Record>, DbErr> {
    let query = Query::select()
        .columns(["state", "progress_step", "progress_total", "error"].map(column))
        .from(Alias::new(kind.table()))
        .and_where(Expr::col(column("id")).eq(id))
        .to_owned();
    let Some(row) = db.query_one(&query).await? else { return Ok(None) };
    let word: String = row.try_get("", "state")?;
    let step: i64 = row.try_get("", "progress_step")?;
    let total: i64 = row.try_get("", "progress_total")?;
    Ok(Some(Record {
        state: State::parse(&word).ok_or_else(|| DbErr::Type("an unknown state".to_owned()))?,
        step: step.unsigned_abs(),
        total: total.unsigned_abs(),
        error: row.try_get("", "error")?,
    }))
}

/// Marks a record as being worked on. False where there is nothing to do.
pub async fn start(db: &impl ConnectionTrait, kind: Kind, id: &str) -> Result<bool, DbErr> {
    change(db, kind, id, &UNFINISHED, vec![("state", State::Running.word().into())]).await
}

/// Notes how far it has come. False where nobody wants it any more.
pub async fn progress(
    db: &impl ConnectionTrait,
    kind: Kind,
    id: &str,
    step: u64,
    total: u64,
) -> Result<bool, DbErr> {
    let values =
        vec![("progress_step", signed(step).into()), ("progress_total", signed(total).into())];
    change(db, kind, id, &["running"], values).await
}

/// Ends work, with what else is to be written. False where it was over before.
pub async fn finish(
    db: &impl ConnectionTrait,
    kind: Kind,
    id: &str,
    state: State,
    error: Option<&str>,
) -> Result<bool, DbErr> {
    let values = vec![("state", state.word().into()), ("error", error.map(str::to_owned).into())];
    change(db, kind, id, &UNFINISHED, values).await
}

/// Asks work to stop. False where it was over before.
pub async fn cancel(db: &impl ConnectionTrait, kind: Kind, id: &str) -> Result<bool, DbErr> {
    change(db, kind, id, &UNFINISHED, vec![("state", State::Cancelled.word().into())]).await
}

/// Records that somebody must work on, the oldest first.
pub async fn unfinished(db: &impl ConnectionTrait, kind: Kind) -> Result<Vec<String>, DbErr> {
    let query = Query::select()
        .column(column("id"))
        .from(Alias::new(kind.table()))
        .and_where(Expr::col(column("state")).is_in(UNFINISHED))
        .order_by(column("id"), sea_orm::Order::Asc)
        .to_owned();
    db.query_all(&query).await?.iter().map(|row| row.try_get("", "id")).collect()
}

/// How many queued records are older than this one; identifiers are in the order of time.
pub async fn ahead(db: &impl ConnectionTrait, kind: Kind, id: &str) -> Result<u64, DbErr> {
    let query = Query::select()
        .expr_as(Expr::col(column("id")).count(), column("count"))
        .from(Alias::new(kind.table()))
        .and_where(Expr::col(column("state")).is_in(UNFINISHED))
        .and_where(Expr::col(column("id")).lt(id))
        .to_owned();
    let Some(row) = db.query_one(&query).await? else { return Ok(0) };
    let count: i64 = row.try_get("", "count")?;
    Ok(count.unsigned_abs())
}

async fn change(
    db: &impl ConnectionTrait,
    kind: Kind,
    id: &str,
    from: &[&'static str],
    values: Vec<(&'static str, sea_orm::Value)>,
) -> Result<bool, DbErr> {
    let update = Query::update()
        .table(Alias::new(kind.table()))
        .values(values.into_iter().map(|(name, value)| (column(name), value.into())))
        .and_where(Expr::col(column("id")).eq(id))
        .and_where(Expr::col(column("state")).is_in(from.iter().copied()))
        .to_owned();
    Ok(db.execute(&update).await?.rows_affected() > 0)
}

/// SQL has signed integers alone.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
