//! The audit log: append-only, with the number and hash of its last row beside it.
//!
//! No foreign keys: the log outlives what it speaks of. Times and details are text, because the hash
//! is over the letters that were stored.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::columns;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `INSERT OR REPLACE` deletes without asking the delete trigger, so a number that is taken is
/// refused too. The head moves forward by one row at a time, and is never removed.
const SQLITE: [&str; 5] = [
    "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
     WHEN EXISTS (SELECT 1 FROM audit_events WHERE sequence = NEW.sequence)
     BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    "CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
     WHEN NEW.id <> OLD.id OR NEW.sequence <> OLD.sequence + 1
     BEGIN SELECT RAISE(ABORT, 'the head of the audit log moves forward only'); END",
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
     BEGIN SELECT RAISE(ABORT, 'the head of the audit log moves forward only'); END",
];

const POSTGRES: [&str; 6] = [
    "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
     $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
     FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
     FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
     FOR EACH ROW WHEN (NEW.id <> OLD.id OR NEW.sequence <> OLD.sequence + 1)
     EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
     FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head
     FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = Table::create()
            .table("audit_events")
            .col(big_integer("sequence").primary_key().to_owned())
            .col(string("recorded_at"))
            .col(columns::optional("actor_id"))
            .col(string("actor_name"))
            .col(string("actor_roles"))
            .col(string("action"))
            .col(string("object_type"))
            .col(columns::optional("object_id"))
            .col(string("outcome"))
            .col(text("detail"))
            .col(columns::optional("source_address"))
            .col(string("previous_hash"))
            .col(string("hash"))
            .to_owned();
        manager.create_table(events).await?;
        for column in ["recorded_at", "actor_name", "action", "object_id"] {
            manager.create_index(columns::index("audit_events", &[column])).await?;
        }

        let head = Table::create()
            .table("audit_head")
            .col(integer("id").primary_key().to_owned())
            .col(big_integer("sequence"))
            .col(string("hash"))
            .to_owned();
        manager.create_table(head).await?;
        let empty = Query::insert()
            .into_table("audit_head")
            .columns(["id", "sequence", "hash"])
            .values_panic([1.into(), 0_i64.into(), "0".repeat(64).into()])
            .to_owned();
        manager.execute(empty).await?;

        let triggers = match manager.get_database_backend() {
            DbBackend::Sqlite => &SQLITE[..],
            DbBackend::Postgres => &POSTGRES[..],
            _ => return Err(DbErr::Migration("the log needs SQLite or PostgreSQL".to_owned())),
        };
        for trigger in triggers {
            manager.get_connection().execute_unprepared(trigger).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the audit log is kept".to_owned()))
    }
}
