//! Users and their roles.

use std::collections::HashMap;

use chrono::Utc;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use skiagraph_compliance::role::Role;
use uuid::Uuid;

use crate::entities::user_roles;
use crate::entities::users::{ActiveModel, Column, Entity, Model};

/// A user with their roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The row.
    pub row: Model,
    /// The roles, in their order.
    pub roles: Vec<Role>,
}

/// What a new user is to be.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// Name to log in with.
    pub username: &'a str,
    /// Name to show.
    pub display_name: &'a str,
    /// Argon2id hash of the one-time password.
    pub password_hash: String,
    /// What the user may be.
    pub roles: &'a [Role],
}

/// What is to be changed; nothing of what is `None`.
#[derive(Debug, Default)]
pub struct Changes {
    /// Name to show.
    pub display_name: Option<String>,
    /// Argon2id hash of the password, and whether it is for one time.
    pub password: Option<(String, bool)>,
    /// Whether the user may not log in.
    pub disabled: Option<bool>,
    /// What the user may be.
    pub roles: Option<Vec<Role>>,
}

/// Makes a user, whose password is for one time.
pub async fn insert(db: &impl ConnectionTrait, new: NewUser<'_>) -> Result<User, DbErr> {
    let row = ActiveModel {
        id: Set(Uuid::now_v7().to_string()),
        username: Set(new.username.to_owned()),
        display_name: Set(new.display_name.to_owned()),
        password_hash: Set(new.password_hash),
        must_change_password: Set(true),
        disabled: Set(false),
        created_at: Set(Utc::now()),
    }
    .insert(db)
    .await?;
    set_roles(db, &row.id, new.roles).await?;
    with_roles(db, row).await
}

/// Changes a user.
pub async fn change(db: &impl ConnectionTrait, id: &str, changes: Changes) -> Result<(), DbErr> {
    let mut row = ActiveModel { id: Set(id.to_owned()), ..Default::default() };
    if let Some(display_name) = changes.display_name {
        row.display_name = Set(display_name);
    }
    if let Some((hash, one_time)) = changes.password {
        row.password_hash = Set(hash);
        row.must_change_password = Set(one_time);
    }
    if let Some(disabled) = changes.disabled {
        row.disabled = Set(disabled);
    }
    if row.is_changed() {
        row.update(db).await?;
    }
    if let Some(roles) = changes.roles {
        set_roles(db, id, &roles).await?;
    }
    Ok(())
}

async fn set_roles(db: &impl ConnectionTrait, id: &str, roles: &[Role]) -> Result<(), DbErr> {
    user_roles::Entity::delete_many().filter(user_roles::Column::UserId.eq(id)).exec(db).await?;
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        return Ok(());
    }
    let rows = roles.iter().map(|role| user_roles::ActiveModel {
        user_id: Set(id.to_owned()),
        role: Set(role.word().to_owned()),
    });
    user_roles::Entity::insert_many(rows).exec_without_returning(db).await?;
    Ok(())
}

/// The user with this identifier.
pub async fn get(db: &impl ConnectionTrait, id: &str) -> Result<Option<User>, DbErr> {
    match Entity::find_by_id(id).one(db).await? {
        Some(row) => with_roles(db, row).await.map(Some),
        None => Ok(None),
    }
}

/// The user of this name.
pub async fn by_name(db: &impl ConnectionTrait, username: &str) -> Result<Option<User>, DbErr> {
    match Entity::find().filter(Column::Username.eq(username)).one(db).await? {
        Some(row) => with_roles(db, row).await.map(Some),
        None => Ok(None),
    }
}

/// A page of users by name, and how many there are.
pub async fn list(
    db: &impl ConnectionTrait,
    offset: u64,
    limit: u64,
) -> Result<(Vec<User>, u64), DbErr> {
    let total = Entity::find().count(db).await?;
    let rows =
        Entity::find().order_by_asc(Column::Username).offset(offset).limit(limit).all(db).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let words =
        user_roles::Entity::find().filter(user_roles::Column::UserId.is_in(ids)).all(db).await?;
    let users = rows
        .into_iter()
        .map(|row| {
            let mine = words.iter().filter(|word| word.user_id == row.id);
            let roles = sorted(mine.map(|word| word.role.as_str()))?;
            Ok(User { row, roles })
        })
        .collect::<Result<_, DbErr>>()?;
    Ok((users, total))
}

/// Names to show of these users, by identifier.
pub async fn display_names(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = &str>,
) -> Result<HashMap<String, String>, DbErr> {
    let rows = Entity::find().filter(Column::Id.is_in(ids)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.display_name)).collect())
}

/// How many users there are.
pub async fn count(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Entity::find().count(db).await
}

/// How many administrators can log in.
pub async fn active_administrators(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let administrators: Vec<String> = user_roles::Entity::find()
        .select_only()
        .column(user_roles::Column::UserId)
        .filter(user_roles::Column::Role.eq(Role::Admin.word()))
        .into_tuple()
        .all(db)
        .await?;
    Entity::find()
        .filter(Column::Id.is_in(administrators))
        .filter(Column::Disabled.eq(false))
        .count(db)
        .await
}

async fn with_roles(db: &impl ConnectionTrait, row: Model) -> Result<User, DbErr> {
    let words = user_roles::Entity::find()
        .filter(user_roles::Column::UserId.eq(row.id.as_str()))
        .all(db)
        .await?;
    let roles = sorted(words.iter().map(|word| word.role.as_str()))?;
    Ok(User { row, roles })
}

/// A word that is no role is an error, not a role less: somebody wrote it by hand.
fn sorted<'a>(words: impl Iterator<Item = &'a str>) -> Result<Vec<Role>, DbErr> {
    let mut roles = words
        .map(|word| Role::parse(word).ok_or_else(|| DbErr::Custom("an unknown role".to_owned())))
        .collect::<Result<Vec<_>, _>>()?;
    roles.sort_unstable();
    Ok(roles)
}
