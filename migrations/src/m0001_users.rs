//! Users, their roles, and the refresh tokens of their sessions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::*;

use crate::columns;

/// See the module.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let users = Table::create()
            .table("users")
            .col(columns::id())
            .col(string_uniq("username"))
            .col(string("display_name"))
            .col(string("password_hash"))
            .col(boolean("must_change_password"))
            .col(boolean("disabled"))
            .col(timestamp_with_time_zone("created_at"))
            .to_owned();
        manager.create_table(users).await?;

        let roles = Table::create()
            .table("user_roles")
            .col(string("user_id"))
            .col(string("role"))
            .primary_key(Index::create().col("user_id").col("role"))
            .foreign_key(&mut columns::names("user_roles", "user_id", "users"))
            .to_owned();
        manager.create_table(roles).await?;

        // A family is a session: the tokens that came one from the other since a login.
        let tokens = Table::create()
            .table("refresh_tokens")
            .col(columns::id())
            .col(string("user_id"))
            .col(string("family"))
            .col(string_uniq("token_hash"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("used_at"))
            .col(timestamp_with_time_zone_null("revoked_at"))
            .foreign_key(&mut columns::names("refresh_tokens", "user_id", "users"))
            .to_owned();
        manager.create_table(tokens).await?;
        manager.create_index(columns::index("refresh_tokens", &["family"])).await?;
        manager.create_index(columns::index("refresh_tokens", &["user_id"])).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        columns::drop(manager, &["refresh_tokens", "user_roles", "users"]).await
    }
}
