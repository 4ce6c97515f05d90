//! Columns and keys that many tables have.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, string, string_null, text_null, timestamp_with_time_zone,
};

/// Several columns at once.
pub(crate) trait Columns {
    /// Adds the columns, in their order.
    fn cols<const COUNT: usize>(&mut self, columns: [ColumnDef; COUNT]) -> &mut Self;
}

impl Columns for TableCreateStatement {
    fn cols<const COUNT: usize>(&mut self, columns: [ColumnDef; COUNT]) -> &mut Self {
        for column in columns {
            self.col(column);
        }
        self
    }
}

/// A UUID as text, the table's key.
pub(crate) fn id() -> ColumnDef {
    string("id").primary_key().to_owned()
}

/// Who made it, and when.
pub(crate) fn origin() -> [ColumnDef; 2] {
    [string("created_by"), timestamp_with_time_zone("created_at")]
}

/// How long work stands: state, progress, and why it failed.
pub(crate) fn work() -> [ColumnDef; 4] {
    [
        string("state"),
        big_integer("progress_step").default(0).to_owned(),
        big_integer("progress_total").default(0).to_owned(),
        text_null("error"),
    ]
}

/// A text that may be absent.
pub(crate) fn optional(name: &'static str) -> ColumnDef {
    string_null(name)
}

/// `table.column` names a row of `other`, which stays while it is named.
pub(crate) fn names(
    table: &'static str,
    column: &'static str,
    other: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(other, "id")
        .on_delete(ForeignKeyAction::Restrict)
        .to_owned()
}

/// An index over `columns`.
pub(crate) fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("ix_{table}_{}", columns.join("_"))).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// Drops tables, in this order.
pub(crate) async fn drop(
    manager: &SchemaManager<'_>,
    tables: &[&'static str],
) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}
